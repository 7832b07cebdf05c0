"""What an alert says, and where its link leads.

Belongs here: the words. Does not belong here: who gets them (``channels``) and how often (``outbox``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from analytics_platform.system.plain_text import on_one_line

Kind = Literal["check_failed", "check_warned", "run_failed", "asset_stale", "source_down"]


@dataclass(frozen=True)
class Alert:
    """Something that a person should know.

    Attributes:
        kind: What sort of thing happened.
        key: What it happened to; two alerts of the same kind and key are the same alert.
        title: One line.
        text: What and where, and what to do. It leaves the platform: no data and no secrets in it.
        link: Page of the UI to look at; empty for none.
    """

    kind: Kind
    key: str
    title: str
    text: str
    link: str = ""

    def lines(self) -> list[str]:
        """Return title, text and link as people get them: a line each, whatever a message or a file name holds."""
        return [on_one_line(part) for part in (self.title, self.text, self.link) if part]


class Links:
    """Addresses of pages of the Dagster UI.

    Args:
        base: Where people reach the UI, e.g. ``https://dagster.example.org``.
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
