"""Conversations that cannot be processed, on the whole graph: named, left out everywhere, tried again, brought back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pytest

from analytics_platform.cli.app import main
from analytics_platform.defs.assets import clean_assets
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.consistency.left_out import stored_failures
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.insights.engine import InsightEngine
from analytics_platform.model.cadence import Cadence
from analytics_platform.settings.loader import load_settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DAYS = ["2024-01-01", "2024-01-02"]
SIZE = 8
BROKEN = {"messages": f"{DAYS[0]}-1", "message_embeddings": f"{DAYS[0]}-2", "conversations": f"{DAYS[1]}-3"}
"""Which conversation each table cannot take."""
HEADER = "conversation_id,message_id,user_id,agent_id,role,text,timestamp\n"
BAD_ROW = f"{DAYS[0]}-0,bad,ann,bob,nobody,unusable,{DAYS[0]}T10:30:00Z\n"


def rows() -> str:
    said = [
        f"{day}-{n},{day}-{n}-{k},user{n % 3},bob,{role},{text},{day}T{10 + n}:0{k}:00Z\n"
        for day in DAYS
        for n in range(SIZE)
        for k, (role, text) in enumerate([("user", "my printer does not print"), ("agent", "is the cable in?")])
    ]
    return HEADER + "".join(said)


class Home:
    """A home of its own over one file, and a cause of failures that can be mended."""

    def __init__(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], text: str
    ) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd
        path.mkdir()
        monkeypatch.chdir(path)
        self.file = path / "chats.csv"
        self.file.write_text(text)
        for name, value in {
            "HOME": path / "home", "SOURCE": "files", "SOURCE_PATH": self.file,
            "START_DATE": DAYS[0], "END_DATE": DAYS[-1],
        }.items():  # fmt: skip
            monkeypatch.setenv(f"ANALYTICS_{name}", str(value))
        monkeypatch.setenv("DAGSTER_HOME", "")  # commands set these
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")

    def say(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return its exit status and what it printed."""
        self._monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capfd.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    def call(self, *arguments: str) -> dict[str, Any]:
        """Run a command that goes well; return its answer."""
        status, out, err = self.say(*arguments, "--json")
        assert status == 0, err
        return orjson.loads(out)

    def content(self) -> dict[Any, Any]:
        """Return the content hash of every partition, and the facts of the warehouse."""
        settings = load_settings()
        platform = Platform(settings)
        try:
            found: dict[Any, Any] = {
                (asset.recipe.store, asset.recipe.table.name, key): platform.store(asset.recipe.store)
                .info(asset.recipe.table.name, key)
                .content_hash
                for asset in TABLES
                for key in platform.store(asset.recipe.store).keys(asset.recipe.table.name)
            }
        finally:
            platform.close()
        with duckdb.connect(settings.warehouse_path, read_only=True) as warehouse:
            for name in ("fct_conversation", "fct_message", "agg_daily"):
                found[name] = warehouse.sql(f"select * from {name} order by all").fetchall()
        return found

    def conversations(self) -> dict[str, set[str]]:
        """Return the conversations in each table that has them, of both days together."""
        settings = load_settings()
        platform = Platform(settings)
        found: dict[str, set[str]] = {}
        try:
            for asset in TABLES:
                recipe, store = asset.recipe, platform.store(asset.recipe.store)
                if recipe.cadence is Cadence.DAILY and "conversation_id" in recipe.table.column_names:
                    tables = [store.read(recipe.table.name, day, ["conversation_id"]) for day in DAYS]
                    ids = pa.concat_tables(tables)["conversation_id"].to_pylist()
                    found["/".join(asset.key.path)] = set(ids)
        finally:
            platform.close()
        with duckdb.connect(settings.warehouse_path, read_only=True) as warehouse:
            for name in ("fct_conversation", "fct_message"):
                found[name] = {row[0] for row in warehouse.sql(f"select conversation_id from {name}").fetchall()}
        return found

    def read(self, table: str, day: str, store: str = "lake") -> list[dict[str, Any]]:
        platform = Platform(load_settings())
        try:
            return platform.store(store).read(table, day).to_pylist()
        finally:
            platform.close()

    def attempts(self) -> set[int]:
        platform = Platform(load_settings())
        try:
            return {failure.attempts for _, _, failure in stored_failures(platform.lake, TABLES, DAYS)}
        finally:
            platform.close()


def broken(function, table: str):
    """Return the function with a mind against one conversation."""

    def refuse(*tables: pa.Table) -> pa.Table:
        first = next(table for table in tables if isinstance(table, pa.Table))
        if BROKEN[table] in first["conversation_id"].to_pylist():
            raise ZeroDivisionError("my printer")
        return function(*tables)

    return refuse


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Break one table each for three conversations; undo it to mend the cause."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clean_assets, "clean_messages", broken(clean_assets.clean_messages, "messages"))
        patch.setattr(clean_assets, "conversation_metrics", broken(clean_assets.conversation_metrics, "conversations"))
        patch.setattr(InsightEngine, "embed_messages", broken(InsightEngine.embed_messages, "message_embeddings"))
        yield patch


def test_bad_conversations_are_left_out_everywhere_tried_again_and_brought_back(tmp_path, monkeypatch, capfd, breaking):
    home = Home(tmp_path / "one", monkeypatch, capfd, rows() + BAD_ROW)
    first = home.call("run")
    assert (first["failures"], first["failed_conversations"], first["quarantined"]) == ([], 3, 1)

    everything = {f"{day}-{n}" for day in DAYS for n in range(SIZE)}
    good, found = everything - set(BROKEN.values()), home.conversations()
    assert found.pop("quarantined_rows") == {f"{DAYS[0]}-0"}
    found.pop("unplaced_rows", None)
    assert found.pop("processing_errors") == set(BROKEN.values())
    for name in (
        "mongo/conversation_translations",
        "llm_insights",
        "llm_calls",
        "llm_failures",
        "message_translations",
        "translation_failures",
    ):
        assert found.pop(name) == set()
    before = {name: found.pop(name) for name in ("raw_messages", "raw_conversations", "messages", "conversations")}
    insights = ("message_embeddings", "conversation_embeddings", "message_insights", "conversation_insights")
    for name in insights:
        before[name] = found.pop(name)
    assert before["raw_messages"] == before["raw_conversations"] == everything
    assert before["messages"] == everything - {BROKEN["messages"]}
    assert before["conversations"] == everything - {BROKEN["messages"], BROKEN["conversations"]}
    without_two = everything - {BROKEN["messages"], BROKEN["message_embeddings"]}
    assert all(before[name] == without_two for name in insights[:-1])
    assert before["conversation_insights"] == good  # they know the outcome that the metrics state
    assert found == dict.fromkeys(
        ["mongo/conversation_analytics", "mongo/conversation_messages", "mongo/conversation_categories",
         "conversation_topics", "fct_conversation", "fct_message"], good,
    )  # fmt: skip

    [errors] = home.read("processing_errors", DAYS[1])
    assert (errors["conversation_id"], errors["table_name"], errors["attempts"]) == (
        BROKEN["conversations"], "conversations", 1,
    )  # fmt: skip
    assert errors["error"].startswith("ZeroDivisionError in ")
    assert errors["error"].endswith(": … …")
    [metrics] = home.read("daily_metrics", DAYS[0])
    counted = ("conversation_count", "failed_conversation_count", "quarantined_row_count")
    assert [metrics[name] for name in counted] == [SIZE - 2, 2, 1]
    [report] = home.read("analytics_reports/daily", DAYS[0], "mongo")
    assert {metric["name"]: metric["value"] for metric in report["metrics"]}["failed_conversation_count"] == 2
    assert any("2 conversations could not be processed" in finding for finding in report["findings"])
    page = (tmp_path / "one" / "home" / "reports" / report["html"]).read_text()
    assert "Conversations that could not be processed" in page

    status, _, err = home.say("run")
    assert status == 0
    assert "3 conversations could not be processed and are left out" in err
    assert home.attempts() == {2}
    again = home.call("run")
    assert (len(again["runs"]), again["failed_conversations"]) == (1, 3)
    assert home.attempts() == {3}
    assert home.call("run")["runs"] == []

    again = home.call("redrive", "--to", DAYS[0])
    assert again["days"] == [DAYS[0]]
    assert (again["mended"], again["quarantined_after"]) == ([], 1)
    assert [(entry["table_name"], entry["attempts"]) for entry in again["still_failing"]] == [
        ("messages", 1), ("message_embeddings", 1),
    ]  # fmt: skip

    breaking.undo()
    home.file.write_text(rows())
    mended = home.call("redrive")
    assert mended["days"] == DAYS
    assert {(entry["table_name"], entry["conversation_id"]) for entry in mended["mended"]} == set(BROKEN.items())
    assert (mended["still_failing"], mended["quarantined_before"], mended["quarantined_after"]) == ([], 1, 0)
    assert home.call("redrive")["days"] == []
    content = home.content()

    clean_home = Home(tmp_path / "two", monkeypatch, capfd, rows())
    assert clean_home.call("run")["failed_conversations"] == 0
    assert clean_home.content() == content


def test_a_day_that_fails_as_a_whole_fails_the_run(tmp_path, monkeypatch, capfd):
    home = Home(tmp_path / "one", monkeypatch, capfd, rows())

    def refuse(*_: object) -> pa.Table:
        raise ZeroDivisionError("nothing works")

    monkeypatch.setattr(clean_assets, "clean_messages", refuse)
    status, _, err = home.say("run", "--select", "group:raw or group:clean")
    assert status == 1, err
    assert f"partition {DAYS[0]} of messages: nothing works" in err
