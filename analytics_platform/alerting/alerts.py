"""Raise alerts: write them to the outbox, and deliver the outbox to every channel."""

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
from analytics_platform.system.plain_text import on_one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Delivery:
    """What became of the alerts that waited.

    Attributes:
        sent: Number of messages that arrived; a message holds all alerts that a channel waited for.
        problems: One line per channel that could not be reached; it is tried again at the next delivery.
    """

    sent: int
    problems: list[str]


class Alerts:
    """Alerts of one home. Safe to use from several processes and threads.

    Args:
        path: File that remembers what was raised and sent.
        urls: Gives the addresses of the channels, comma separated, or None; asked when something is delivered.
        repeat_hours: The same alert is not raised again within this time.
        clock: Gives the time in seconds since the epoch.
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
        """Where alerts go; none without configuration.

        Raises:
            AlertError: If an address cannot be used.
        """
        urls = self._urls()
        return open_channels(urls) if urls else []

    def raise_alert(self, kind: Kind, key: str, title: str, text: str, link: str = "") -> bool:
        """Log an alert and hand it over for delivery, unless the same was raised a short time ago.

        It is kept when this returns; sending is left to ``deliver``, so that no caller waits for a channel.

        Args:
            kind: What sort of thing happened.
            key: What it happened to.
            title: One line.
            text: What and where, and what to do, without data and secrets.
            link: Page of the UI.

        Returns:
            Whether it is news.
        """
        alert = Alert(kind, key, title, text, link)
        news = self._outbox.add(alert, self._clock())
        if news:
            logger.warning("alert: %s: %s %s", *map(on_one_line, (title, text, link)))
        return news

    def deliver(self) -> Delivery:
        """Send every channel what it waits for, as one message; takes about as long as the slowest channel may.

        Raises:
            AlertError: If an address cannot be used; nothing is lost.
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
        """Return whether a message arrived, and what went wrong."""
        waiting = self._outbox.waiting(channel.id)
        if not waiting:
            return False, None
        reason = channel.send(list(waiting.values()))
        if reason is None:
            self._outbox.sent(channel.id, list(waiting))
            return True, None
        return False, f"{channel.name}: {reason}; {len(waiting)} alerts wait for the next try"
