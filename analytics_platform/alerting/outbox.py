"""Which alerts were raised, and which channel waits for which: one SQLite file, shared by all processes of a home.

An alert is handed over when it is written here, so whoever raised it may forget it. It goes to a channel at least
once: when a process dies between sending and noting it down, the next one sends it again.
Belongs here: that, and de-duplication. Does not belong here: sending (``channels``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from analytics_platform.alerting.alert import Alert

KEPT_SECONDS = 30 * 86_400.0
"""An alert that could not be sent for this long is given up."""
_BUSY_SECONDS = 10.0
_FORM = """
CREATE TABLE IF NOT EXISTS alerts (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
    link TEXT NOT NULL, raised REAL NOT NULL, addressed INTEGER NOT NULL DEFAULT 0, UNIQUE (kind, key)
) STRICT;
CREATE TABLE IF NOT EXISTS waiting (
    alert INTEGER NOT NULL REFERENCES alerts ON DELETE CASCADE, channel TEXT NOT NULL, PRIMARY KEY (alert, channel)
) STRICT;
"""


class Outbox:
    """Alerts that were raised, and those still to be sent.

    Args:
        path: The file; made at the first alert.
        repeat_seconds: The same alert is not taken again within this time.
    """

    def __init__(self, path: Path, repeat_seconds: float) -> None:
        self._path = path
        self._repeat_seconds = repeat_seconds

    def add(self, alert: Alert, now: float) -> bool:
        """Take an alert; return whether it is news, that is, was not taken within the repeat time.

        Args:
            alert: The alert.
            now: Seconds since the epoch.
        """
        with self._transaction() as connection:
            # A title that changed meanwhile is shown anew, and an alert that still waits is not doubled.
            taken = connection.execute(
                "INSERT INTO alerts (kind, key, title, text, link, raised) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, key) DO UPDATE SET title = excluded.title, text = excluded.text, "
                "link = excluded.link, raised = excluded.raised, addressed = 0 WHERE raised <= ?",
                (alert.kind, alert.key, alert.title, alert.text, alert.link, now, now - self._repeat_seconds),
            )
            return taken.rowcount == 1

    def address(self, channels: Sequence[str], now: float) -> None:
        """Let every channel wait for the alerts that are new; forget channels that are gone and alerts too old."""
        if not self._path.exists():
            return
        with self._transaction() as connection:
            kept = max(KEPT_SECONDS, self._repeat_seconds)
            connection.execute("DELETE FROM alerts WHERE raised < ?", (now - kept,))
            known = {name for (name,) in connection.execute("SELECT DISTINCT channel FROM waiting")}
            gone = [(name,) for name in known.difference(channels)]
            connection.executemany("DELETE FROM waiting WHERE channel = ?", gone)
            connection.executemany(
                "INSERT OR IGNORE INTO waiting SELECT id, ? FROM alerts WHERE NOT addressed",
                [(name,) for name in channels],
            )
            connection.execute("UPDATE alerts SET addressed = 1 WHERE NOT addressed")

    def waiting(self, channel: str) -> dict[int, Alert]:
        """Return the alerts that a channel waits for, by number, the oldest first."""
        if not self._path.exists():
            return {}
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT id, kind, key, title, text, link FROM alerts JOIN waiting ON alert = id "
                "WHERE channel = ? ORDER BY raised, id",
                (channel,),
            )
            return {number: Alert(*facts) for number, *facts in rows}

    def sent(self, channel: str, numbers: Sequence[int]) -> None:
        """Note down that a channel got the alerts of these numbers."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM waiting WHERE channel = ? AND alert = ?", [(channel, number) for number in numbers]
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction; no connection outlives a call, so that processes may fork."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for statement in filter(str.strip, _FORM.split(";")):
                    connection.execute(statement)
                yield connection
