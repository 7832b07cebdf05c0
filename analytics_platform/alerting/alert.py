"""The text of an alert, and the addresses of the UI pages that it links to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from analytics_platform.system.plain_text import on_one_line

Kind = Literal["check_failed", "check_warned", "run_failed", "asset_overdue", "source_down"]


@dataclass(frozen=True)
class Alert:
    """A failure or warning that a person should know about.

    Attributes:
        kind: The kind of event.
        key: The object of the event; alerts of the same kind and key are the same alert.
        title: One line.
        text: The event, its place, and what to do. The text leaves the platform, so it contains no data and no secrets.
        link: Address of a page of the UI; empty for none.
    """

    kind: Kind
    key: str
    title: str
    text: str
    link: str = ""

    def lines(self) -> list[str]:
        """Return title, text and link for delivery, each on one line; line ends and control characters are escaped."""
        return [on_one_line(part) for part in (self.title, self.text, self.link) if part]


class Links:
    """Addresses of pages of the Dagster UI.

    Args:
        base: Address of the UI for its users, e.g. ``https://dagster.example.org``.
    """

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")

    def run(self, run_id: str) -> str:
        """Return the page of a run."""
        return f"{self._base}/runs/{quote(run_id)}"

    def asset(self, path: Sequence[str]) -> str:
        """Return the page of an asset; ``path`` is its key."""
        return f"{self._base}/assets/{'/'.join(quote(part, safe='') for part in path)}"

    def check(self, path: Sequence[str], name: str) -> str:
        """Return the page of a check of an asset."""
        return f"{self.asset(path)}?{urlencode({'view': 'checks', 'checkDetail': name})}"
