"""Channels that alerts are sent to (Slack, e-mail, a webhook, ...), by way of apprise.

An address of a channel is a secret as a whole: neither it nor what apprise says about it is shown. A channel is
called by its number and its service ("channel 2, Slack").
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analytics_platform.alerting.alert import Alert
from analytics_platform.errors import UserError

if TYPE_CHECKING:
    from apprise import Apprise

SEND_SECONDS = 10.0
ALERTS_SHOWN = 20
_BETWEEN = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""Between two addresses; a comma within one is its own."""
_HTTP_STATUS = re.compile(r"error=(\d{3})\b")


class AlertError(UserError, ValueError):
    """An address of a channel cannot be used; the message says which by its number."""


class Channel:
    """One place that alerts are sent to.

    Attributes:
        id: Stable name of its address, from which the address cannot be told.
        name: What people call it.
    """

    def __init__(self, service: Apprise, id: str, name: str) -> None:  # noqa: A002
        self._service = service
        self.id = id
        self.name = name

    def __repr__(self) -> str:
        """Show the name only; the address is a secret."""
        return f"Channel({self.name!r})"

    def send(self, alerts: Sequence[Alert], timeout_seconds: float = SEND_SECONDS) -> str | None:
        """Send alerts as one message; return None when it arrived, and else what went wrong in a few words.

        Args:
            alerts: What to send; at least one.
            timeout_seconds: For the whole call.
        """
        title, body = message(alerts)
        result = self._service.notify(
            body=body, title=title, notify_type="failure", body_format="text", timeout=timeout_seconds
        )
        return None if result else _reason(result, timeout_seconds)


def open_channels(urls: str) -> list[Channel]:
    """Return the channels of comma separated addresses; nothing is contacted.

    Args:
        urls: Addresses in apprise's form, e.g. ``slack://...,mailto://...``.

    Raises:
        AlertError: If apprise does not know what an address means.
    """
    import apprise  # noqa: PLC0415  (most of a second; only those who send need it)

    _silence()
    channels: list[Channel] = []
    for number, url in enumerate(_BETWEEN.split(urls.strip(", \n\t")), start=1):
        plugin = apprise.Apprise.instantiate(url) if "://" in url else None
        if plugin is None:
            raise AlertError(f"ANALYTICS_ALERT_URLS: address {number} is none that apprise knows")
        service = apprise.Apprise()
        service.add(plugin)
        name = f"channel {number}, {plugin.service_name}"
        channels.append(Channel(service, _stable_name(plugin) or str(number), name))
    return channels


def message(alerts: Sequence[Alert]) -> tuple[str, str]:
    """Return title and body: of the alert, or of a list when there are several."""
    parts = ["\n".join(alert.lines()) for alert in alerts[:ALERTS_SHOWN]]
    if len(alerts) == 1:
        title, _, body = parts[0].partition("\n")
        return title, body
    if len(alerts) > ALERTS_SHOWN:
        parts.append(f"... and {len(alerts) - ALERTS_SHOWN} more")
    return f"{len(alerts)} alerts", "\n\n".join(parts)


def _stable_name(plugin: Any) -> str | None:
    return plugin.url_id()  # type: ignore[no-any-return]


def _reason(result: Any, timeout_seconds: float) -> str:
    """Say why a message did not arrive, in words of our own: apprise's may hold parts of the address."""
    if result.status.name == "TIMEOUT":
        return f"no answer within {timeout_seconds:g} s"
    status = next((found for entry in result.logs() if (found := _HTTP_STATUS.search(str(entry.message)))), None)
    return f"refused with HTTP {status.group(1)}" if status else "not reachable, or it refused"


def _silence() -> None:
    """Keep libraries from logging addresses; apprise still hears its warnings, for the reason of a failure."""
    library = logging.getLogger("apprise")
    library.propagate = False
    library.setLevel(logging.WARNING)
    requests = logging.getLogger("urllib3.connectionpool")
    requests.setLevel(max(logging.INFO, requests.level))  # its debug lines hold paths, which are tokens for Slack
