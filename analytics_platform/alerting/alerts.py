"""Raises alerts: writes them to the outbox, and delivers the outbox to every channel."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analytics_platform.alerting.alert import Alert, Kind
from analytics_platform.alerting.channels import Channel, open_channels
from analytics_platform.alerting.outbox import Outbox
from analytics_platform.system.plain_text import agreeing, counted, on_one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """The result of one delivery.

    Attributes:
        sent: Number of messages that arrived; one message holds all alerts that wait for a channel.
        problems: One line per channel that could not be reached; the next delivery tries it again.
    """

    sent: int
    problems: list[str]


class Alerts:
    """The alerts of one home. Safe for use by several processes and threads.

    Args:
        path: SQLite file of the outbox.
        urls: Returns the addresses of the channels, separated by commas, or None; called at the first delivery.
        repeat_hours: The same alert is not raised again within this time.
        clock: Returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        urls: Callable[[], str | None],
        *,
        repeat_hours: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = Outbox(path, repeat_hours * 3600)
        self._urls = urls
        self._clock = clock

    @cached_property
    def channels(self) -> list[Channel]:
        """The configured channels; empty without configuration.

        Raises:
            AlertError: If an address cannot be used.
        """
        urls = self._urls()
        return open_channels(urls) if urls else []

    def raise_alert(self, kind: Kind, key: str, title: str, text: str, link: str = "") -> bool:
        """Log an alert and write it to the outbox, unless the same alert was raised within the repeat time.

        The alert is stored when the method returns. ``deliver`` sends it, so no caller waits for a channel.

        Args:
            kind: The kind of event.
            key: The object of the event.
            title: One line.
            text: The event, its place, and what to do, without data and secrets.
            link: Address of a page of the UI.

        Returns:
            Whether the alert is new.
        """
        alert = Alert(kind, key, title, text, link)
        news = self._outbox.add(alert, self._clock())
        if news:
            logger.warning("alert: %s: %s %s", *map(on_one_line, (title, text, link)))
        return news

    def deliver(self) -> Delivery:
        """Send each channel its waiting alerts as one message. Takes about as long as the slowest channel.

        Raises:
            AlertError: If an address cannot be used; no alert is lost.
        """
        self._outbox.address([channel.id for channel in self.channels], self._clock())
        if not self.channels:
            return Delivery(0, [])
        with ThreadPoolExecutor(len(self.channels), thread_name_prefix="alerts") as pool:
            results = list(pool.map(self._send, self.channels))
        problems = [problem for _, problem in results if problem]
        for problem in problems:
            logger.warning("%s", problem)
        return Delivery(sum(sent for sent, _ in results), problems)

    def _send(self, channel: Channel) -> tuple[bool, str | None]:
        """Return whether a message arrived, and the reason if it did not."""
        waiting = self._outbox.waiting(channel.id)
        if not waiting:
            return False, None
        reason = channel.send(list(waiting.values()))
        if reason is None:
            self._outbox.sent(channel.id, list(waiting))
            return True, None
        alerts = f"{counted(len(waiting), 'alert')} {agreeing(len(waiting), 'waits', 'wait')}"
        return False, f"{channel.name}: {reason}; {alerts} for the next try"
