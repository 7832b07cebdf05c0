"""A home with three days of the sample, and the handles of whoever tampers with it."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pymongo
from pymongo.database import Database

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import recipes_of
from analytics_platform.defs.consistency.repair_job import find_disagreements, run_repair
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph_run import run_range
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.mongo import EmbeddedMongo

DAYS = ["2006-05-16", "2006-05-17", "2006-05-18"]
DAY = DAYS[1]
MONGO, WAREHOUSE = "mongo", "warehouse"
AT = dt.datetime.fromisoformat(DAY).replace(tzinfo=dt.UTC)


class Home:
    """A built home, and the handles of whoever tampers with it."""

    def __init__(self, path: Path, instance: dg.DagsterInstance) -> None:
        self.path = path
        self.instance = instance
        self.platform = Platform(load_settings())
        self._opened = ExitStack()
        self.definitions = build_definitions(self.platform)
        self.recipes = recipes_of(self.platform.settings)

    def run(self, days: list[str], selection: str | None = None) -> Outcome:
        keys = None
        if selection:
            graph = self.definitions.resolve_asset_graph()
            keys = sorted(dg.AssetSelection.from_string(selection).resolve(graph))
        outcome = Outcome()
        run_range(
            self.definitions, EVERYTHING, days[0], days[-1], outcome, selection=keys, instance=self.instance
        )  # fmt: skip
        return outcome

    def repair(self, days: list[str] | None = None) -> Repair:
        return run_repair(self.platform, self.recipes, days, self.instance)

    def look(self, days: list[str] | None = None) -> list[tuple[str, str, str]]:
        return [(one.store, one.table, one.day) for one in find_disagreements(self.platform, self.recipes, days).found]

    @cached_property
    def database(self) -> Database[Any]:
        """The database, past the platform."""
        uri = self._opened.enter_context(EmbeddedMongo(self.path / "mongo"))
        client: pymongo.MongoClient[Any] = self._opened.enter_context(pymongo.MongoClient(uri, tz_aware=True))
        return client[self.platform.settings.mongo_database]

    def close(self) -> None:
        self._opened.close()
        self.platform.close()

    def file(self, table: str, day: str = DAY) -> Path:
        return Path(self.platform.lake.path(table, day))

    def content(self) -> dict[Path, bytes]:
        """Every file of the lake and the warehouse."""
        files = [*(self.path / "lake").rglob("*.parquet"), self.path / "warehouse.duckdb"]
        return {path: path.read_bytes() for path in files}

    def warehouse(self, statement: str) -> None:
        with duckdb.connect(self.path / "warehouse.duckdb") as connection:
            connection.execute(statement)
            connection.execute("checkpoint")


def first(home: Home, collection: str, day: str = DAY) -> dict[str, Any]:
    found = home.database[collection].find_one({"date": dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC)})
    assert found is not None
    return dict(found)


def edit_a_document(home: Home) -> str:
    found = first(home, "conversation_messages")
    home.database["conversation_messages"].update_one(
        {"_id": found["_id"]}, {"$set": {"text": "somebody else's words"}}
    )
    return str(found["_id"])


def change_a_published_row(home: Home) -> str:
    home.warehouse(
        f"update fct_message set word_count = 99999 where message_id = "
        f"(select min(message_id) from fct_message where date = '{DAY}')"
    )
    rows = home.platform.lake.read("messages", DAY, ["conversation_id", "message_id"]).to_pylist()
    row = min(rows, key=lambda row: row["message_id"])
    return f"{row['conversation_id']}:{row['message_id']}"
