"""Real conversations in two NocoDB tables, and a platform that reads them, for the tests of incremental collection.

``server`` starts the NocoDB server.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.automation.sensor_state import SensorState
from analytics_platform.defs.automation.source_sensor import SENSOR
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import PROJECT_ROOT, load_settings
from analytics_platform_tests.integration.nocodb.server import NocoServer, Row
from analytics_platform_tests.sizes import by_day_or_night

MESSAGE_COLUMNS = {
    "conversation_id": "SingleLineText",
    "message_id": "SingleLineText",
    "agent_id": "SingleLineText",
    "model": "SingleLineText",
    "role": "SingleLineText",
    "text": "LongText",
    "timestamp": "SingleLineText",
    "mood": "SingleLineText",
}
CONVERSATION_COLUMNS = {
    "conversation_id": "SingleLineText",
    "customer": "SingleLineText",
    "channel": "SingleLineText",
    "outcome": "SingleLineText",
}
MAPPING = "conversations:\n  user_id: customer\n"
COPIES = by_day_or_night(1, 3)
WEEKS_APART = 1
END = by_day_or_night(dt.datetime(2006, 5, 28, tzinfo=dt.UTC), dt.datetime(2006, 12, 31, tzinfo=dt.UTC))
"""The sample's conversations that start before this time are in the tables."""


def seed() -> tuple[list[Row], list[Row]]:
    """Return 1,391 messages of real conversations of 13 days, and their conversations; at night 20,000 of 49 days."""
    sample = pq.read_table(PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet")
    starts = sample.group_by("conversation_id").aggregate([("timestamp", "min")])
    wanted = starts.filter(pc.less(starts["timestamp_min"], pa.scalar(END, sample.schema.field("timestamp").type)))
    sample = sample.filter(pc.is_in(sample["conversation_id"], wanted["conversation_id"].combine_chunks()))
    rows = [row for row in sample.to_pylist() if row["role"] != "user" or (row["text"] or "").strip()]
    messages: list[Row] = []
    conversations: dict[str, Row] = {}
    for copy in range(COPIES):
        later = dt.timedelta(weeks=copy * WEEKS_APART)
        for row in rows:
            name = f"{row['conversation_id']}/{copy}"
            kept = {column: row.get(column) for column in ("agent_id", "model", "role", "text")}
            when = (row["timestamp"] + later).isoformat()
            messages.append({"conversation_id": name, "message_id": f"m{len(messages)}", **kept, "timestamp": when})
            conversations.setdefault(
                name,
                {
                    "conversation_id": name,
                    "customer": row.get("user_id"),
                    "channel": row.get("channel"),
                    "outcome": row.get("outcome"),
                },
            )
    return messages, list(conversations.values())


class Chats:
    """The two tables.

    Args:
        server: Where they are.
        messages: Rows of the one.
        conversations: Rows of the other.
    """

    def __init__(self, server: NocoServer, messages: list[Row], conversations: list[Row]) -> None:
        self.server = server
        self.messages = server.make_table(MESSAGE_COLUMNS)
        self.conversations = server.make_table(CONVERSATION_COLUMNS)
        self.message_ids = server.insert(self.messages, messages)
        self.conversation_ids = server.insert(self.conversations, conversations)


class Home:
    """A platform on the two tables, with its sensor.

    Attributes:
        platform: The platform.
        requests: Ranges of days that the sensor asked for, in order.
    """

    def __init__(self, platform: Platform, instance: dg.DagsterInstance) -> None:
        self.platform = platform
        self.instance = instance
        self.definitions = build_definitions(platform)
        self.cursor = SensorState().as_text()
        self.requests: list[tuple[str, str]] = []

    def follow(self) -> None:
        """Let the sensor tick, and run what it asks for, until it asks for nothing."""
        sensor = self.definitions.resolve_sensor_def(SENSOR)
        for _ in range(10):
            context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
            tick = sensor.evaluate_tick(context)
            self.cursor = tick.cursor or self.cursor
            if not tick.run_requests:
                assert tick.skip_message == "nothing has changed at the source"
                return
            for request in tick.run_requests:
                first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
                self.requests.append((first, last))
                self._run(dict(request.tags))
        pytest.fail("the sensor goes on asking")

    def catch_up(self) -> None:
        """Compute what is stale on any day, as the next `analytics run` does."""
        days = self.platform.lake.keys("raw_messages")
        ends = {"start": days[0], "end": days[-1]}
        self._run({f"dagster/asset_partition_range_{end}": day for end, day in ends.items()})

    def _run(self, tags: dict[str, str]) -> None:
        result = self.definitions.resolve_job_def(EVERYTHING).execute_in_process(instance=self.instance, tags=tags)
        assert result.success
        checks = result.get_asset_check_evaluations()
        # One that warns, of labels that drift from one day to the next, finds nothing wrong with the data.
        assert [one for one in checks if not one.passed and one.severity is dg.AssetCheckSeverity.ERROR] == []

    def content(self) -> dict[str, str]:
        """Return the content hash of every partition of lake and MongoDB, and of every table of the warehouse."""
        found = {}
        for asset in TABLES:
            store, name = self.platform.store(asset.recipe.store), asset.recipe.table.name
            for key in store.keys(name):
                found[f"{asset.recipe.store}/{name}/{key}"] = store.info(name, key).content_hash
        with duckdb.connect(self.platform.settings.warehouse_path, read_only=True) as warehouse:
            for name in self.platform.marts.warehouse.rows():
                rows = warehouse.execute(f"select * from {name} order by all").fetchall()
                found[f"warehouse/{name}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
        return found

    def raw(self) -> list[dict[str, Any]]:
        """Return the raw messages of all days, by message id."""
        lake = self.platform.lake
        tables = [lake.read("raw_messages", day) for day in lake.keys("raw_messages")]
        rows = pa.concat_tables(tables)
        return rows.take(pc.sort_indices(rows["message_id"])).to_pylist()


@contextmanager
def home_on(chats: Chats, folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[Home]:
    """Open a platform in a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "mapping.yaml").write_text(MAPPING)
    given = {
        "ANALYTICS_HOME": str(folder / "home"),
        "ANALYTICS_SOURCE": "nocodb",
        "ANALYTICS_SOURCE_MAPPING": str(folder / "mapping.yaml"),
        "ANALYTICS_START_DATE": "2006-05-01",
        "ANALYTICS_END_DATE": "2006-12-31",
        "NOCODB_URL": chats.server.url,
        "NOCODB_TOKEN": chats.server.token.get_secret_value(),
        "NOCODB_MESSAGES_TABLE": chats.messages,
        "NOCODB_CONVERSATIONS_TABLE": chats.conversations,
        "NOCODB_REQUESTS_PER_SECOND": "1000",
        **variables,
    }
    monkeypatch.chdir(folder)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    platform = Platform(load_settings())
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield Home(platform, instance)
    finally:
        platform.close()
