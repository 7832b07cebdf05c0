"""Channels of alerts (Slack, e-mail, a webhook and others), through the library apprise.

The whole address of a channel is a secret: neither the address nor apprise's messages about it are shown. A channel is
named by its number and its service ("channel 2, Slack").
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from analytics_platform.alerting.alert import Alert
from analytics_platform.alerting.sending import silence_libraries
from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import counted

SEND_SECONDS = 10.0
START_SECONDS = 30.0
"""Seconds allowed for starting and ending the sending process on a busy machine."""
ALERTS_SHOWN = 20
_BETWEEN = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""Matches the separator of two addresses; a comma within an address does not match."""


class AlertError(UserError, ValueError):
    """An address of a channel cannot be used; the message names the address by its number."""


class Channel:
    """A receiver of alerts.

    Attributes:
        id: Stable identifier of the address that does not reveal it.
        name: Name for people.
    """

    def __init__(self, url: str, id: str, name: str) -> None:  # noqa: A002
        self._url = url
        self.id = id
        self.name = name

    def __repr__(self) -> str:
        """Show only the name, because the address is a secret."""
        return f"Channel({self.name!r})"

    def send(self, alerts: Sequence[Alert], timeout_seconds: float = SEND_SECONDS) -> str | None:
        """Send alerts as one message; return None if it arrived, and the reason in a few words otherwise.

        Args:
            alerts: At least one alert.
            timeout_seconds: Limit for the whole exchange with the channel.
        """
        title, body = message(alerts)
        request = {"url": self._url, "title": title, "body": body, "timeout_seconds": timeout_seconds}
        try:
            sender = subprocess.run(
                [sys.executable, "-m", "analytics_platform.alerting.sending"],
                input=json.dumps(request).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a traceback may hold the address
                timeout=timeout_seconds + START_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {timeout_seconds + START_SECONDS:g} s"
        if sender.returncode:
            return f"the process that sends ended with status {sender.returncode}"
        reason: str | None = json.loads(sender.stdout.splitlines()[-1])
        return reason


def open_channels(urls: str) -> list[Channel]:
    """Return the channels of comma-separated addresses; no channel is contacted.

    Args:
        urls: Addresses in apprise's form, e.g. ``slack://...,mailto://...``.

    Raises:
        AlertError: If apprise does not recognise an address.
    """
    import apprise  # noqa: PLC0415  (most of a second; only those who send need it)

    silence_libraries()
    channels: list[Channel] = []
    for number, url in enumerate(_BETWEEN.split(urls.strip(", \n\t")), start=1):
        plugin = apprise.Apprise.instantiate(url) if "://" in url else None
        if plugin is None:
            raise AlertError(f"ANALYTICS_ALERT_URLS: address {number} is of no service that apprise knows")
        name = f"channel {number}, {plugin.service_name}"
        channels.append(Channel(url, _stable_name(plugin) or str(number), name))
    return channels


def message(alerts: Sequence[Alert]) -> tuple[str, str]:
    """Return title and body of a message: the text of a single alert, or a list of several alerts."""
    parts = ["\n".join(alert.lines()) for alert in alerts[:ALERTS_SHOWN]]
    if len(alerts) == 1:
        title, _, body = parts[0].partition("\n")
        return title, body
    if len(alerts) > ALERTS_SHOWN:
        parts.append(f"... and {len(alerts) - ALERTS_SHOWN} more")
    return counted(len(alerts), "alert"), "\n\n".join(parts)


def _stable_name(plugin: Any) -> str | None:
    return plugin.url_id()  # type: ignore[no-any-return]
