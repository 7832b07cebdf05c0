"""The outbox: raised alerts and the channels that wait for them, in one SQLite file for all processes of a home.

An alert that is written here is safe. It reaches each channel at least once: if a process dies between sending an alert
and recording it as sent, the next process sends it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from analytics_platform.alerting.alert import Alert

KEPT_SECONDS = 30 * 86_400.0
"""Age in seconds after which an unsent alert is given up."""
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
    """Raised alerts, and the channels that each of them still waits for.

    Args:
        path: The SQLite file; made at the first alert.
        repeat_seconds: The same alert is not added again within this time.
    """

    def __init__(self, path: Path, repeat_seconds: float) -> None:
        self._path = path
        self._repeat_seconds = repeat_seconds

    def add(self, alert: Alert, now: float) -> bool:
        """Add an alert unless the same alert was added within the repeat time; return whether it was added.

        Args:
            alert: The alert.
            now: Seconds since the epoch.
        """
        with self._transaction() as connection:
            # A repeated alert replaces the stored text, and an alert that still waits is not queued twice.
            taken = connection.execute(
                "INSERT INTO alerts (kind, key, title, text, link, raised) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (kind, key) DO UPDATE SET title = excluded.title, text = excluded.text, "
                "link = excluded.link, raised = excluded.raised, addressed = 0 WHERE raised <= ?",
                (alert.kind, alert.key, alert.title, alert.text, alert.link, now, now - self._repeat_seconds),
            )
            return taken.rowcount == 1

    def address(self, channels: Sequence[str], now: float) -> None:
        """Queue new alerts for every channel, and delete removed channels and alerts older than ``KEPT_SECONDS``."""
        if not self._path.exists():
            return
        with self._transaction() as connection:
            kept = max(KEPT_SECONDS, self._repeat_seconds)
            connection.execute("DELETE FROM alerts WHERE raised < ?", (now - kept,))
            stored_channels = {name for (name,) in connection.execute("SELECT DISTINCT channel FROM waiting")}
            gone = [(name,) for name in stored_channels.difference(channels)]
            connection.executemany("DELETE FROM waiting WHERE channel = ?", gone)
            connection.executemany(
                "INSERT OR IGNORE INTO waiting SELECT id, ? FROM alerts WHERE NOT addressed",
                [(name,) for name in channels],
            )
            connection.execute("UPDATE alerts SET addressed = 1 WHERE NOT addressed")

    def waiting(self, channel: str) -> dict[int, Alert]:
        """Return the alerts that wait for a channel, by their number, the oldest first."""
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
        """Record that the alerts of these numbers reached a channel."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM waiting WHERE channel = ? AND alert = ?", [(channel, number) for number in numbers]
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction. No connection outlives a call, so processes may fork."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                for statement in filter(str.strip, _FORM.split(";")):
                    connection.execute(statement)
                yield connection
