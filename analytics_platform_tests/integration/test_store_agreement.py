"""Lake, MongoDB and warehouse on servers of the test: tampering with one is found, named, and mended alone."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import orjson
import pyarrow.parquet as pq
import pymongo
import pytest
from pyarrow import fs
from pymongo.database import Database
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.definitions import EVERYTHING, TABLES, build_definitions, recipes_of
from analytics_platform.defs.consistency.audit import Audit
from analytics_platform.defs.consistency.repair_job import STORE_REPAIR, find_disagreements, run_repair
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.defs.consistency.store_agreement import AGREES, FITS, STORE_AGREEMENT
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.run import Outcome, materialize, run_range
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.mongo import EmbeddedMongo
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest

pytestmark = pytest.mark.integration

DAYS = ["2006-05-16", "2006-05-17", "2006-05-18"]
DAY = DAYS[1]
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


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[Home]:
    """Three days of the sample, built once."""
    path = tmp_path_factory.mktemp("agreement") / "home"
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("ANALYTICS_HOME", str(path))
        patch.setenv("ANALYTICS_START_DATE", DAYS[0])
        patch.setenv("ANALYTICS_END_DATE", DAYS[-1])
        prepare_manifest(load_settings().dbt_project_dir)
        built = Home(path, instance)
        try:
            outcome = materialize(
                built.platform, built.definitions, DAYS, job_name=EVERYTHING, assets=TABLES, selection=None,
                force=False, instance=instance,
            )  # fmt: skip
            assert outcome.failures == []
            yield built
        finally:
            built.close()


@pytest.fixture
def home(built) -> Iterator[Home]:
    """The three days, mended when the test is over: one that fails leaves nothing to the next."""
    yield built
    built.repair()


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


def edit_a_nested_value(home: Home) -> str:
    found = home.database["conversation_analytics"].find_one({"date": AT, "topics.0": {"$exists": True}})
    assert found is not None
    topics = [{**topic, "confidence": 0.123} for topic in found["topics"]]
    home.database["conversation_analytics"].update_one({"_id": found["_id"]}, {"$set": {"topics": topics}})
    return str(found["_id"])


def delete_a_document(home: Home) -> str:
    found = first(home, "conversation_categories")
    home.database["conversation_categories"].delete_one({"_id": found["_id"]})
    return str(found["_id"])


def add_a_document(home: Home) -> str:
    found = first(home, "conversation_analytics")
    foreign = {**found, "_id": "foreign", "conversation_id": "foreign"}
    home.database["conversation_analytics"].insert_one(foreign)
    return "foreign"


def move_a_document_to_another_day(home: Home) -> str:
    found = first(home, "conversation_categories")
    home.database["conversation_categories"].update_one(
        {"_id": found["_id"]}, {"$set": {"date": AT + dt.timedelta(days=1)}}
    )
    return str(found["_id"])


def add_a_field(home: Home) -> str:
    found = first(home, "conversation_analytics")
    home.database.command("collMod", "conversation_analytics", validator={}, validationLevel="off")
    home.database["conversation_analytics"].update_one({"_id": found["_id"]}, {"$set": {"note": "by hand"}})
    home.platform.mongo.migrate()  # the validator comes back
    return str(found["_id"])


def forget_in_the_ledger(home: Home) -> str:
    home.database["_partitions"].delete_one({"_id": f"conversation_messages/{DAY}"})
    return ""


def change_a_published_row(home: Home) -> str:
    home.warehouse(
        f"update fct_message set word_count = 99999 where message_id = "
        f"(select min(message_id) from fct_message where date = '{DAY}')"
    )
    rows = home.platform.lake.read("messages", DAY, ["conversation_id", "message_id"]).to_pylist()
    row = min(rows, key=lambda row: row["message_id"])
    return f"{row['conversation_id']}:{row['message_id']}"


def delete_published_rows(home: Home) -> str:
    home.warehouse(f"delete from fct_conversation where date = '{DAY}'")
    return str(min(home.platform.lake.read("conversations", DAY)["conversation_id"].to_pylist()))


def end_before_mongo(home: Home) -> str:
    home.platform.mongo.delete("conversation_analytics", DAY)
    return ""


def end_before_the_warehouse(home: Home) -> str:
    for table in ("fct_conversation", "fct_message"):
        home.warehouse(f"delete from {table} where date = '{DAY}'")
    home.warehouse(f"delete from _partitions where key = '{DAY}'")
    return ""


MONGO, WAREHOUSE = "mongo", "warehouse"
TAMPERINGS = [
    (edit_a_document, [(MONGO, "conversation_messages", DAY)]),
    (edit_a_nested_value, [(MONGO, "conversation_analytics", DAY)]),
    (delete_a_document, [(MONGO, "conversation_categories", DAY)]),
    (add_a_document, [(MONGO, "conversation_analytics", DAY)]),
    (add_a_field, [(MONGO, "conversation_analytics", DAY)]),
    (
        move_a_document_to_another_day,
        [(MONGO, "conversation_categories", DAY), (MONGO, "conversation_categories", DAYS[2])],
    ),
    (forget_in_the_ledger, [(MONGO, "conversation_messages", DAY)]),
    (change_a_published_row, [(WAREHOUSE, "fct_message", DAY)]),
    (end_before_mongo, [(MONGO, "conversation_analytics", DAY)]),
    (end_before_the_warehouse, [(WAREHOUSE, "fct_conversation", DAY), (WAREHOUSE, "fct_message", DAY)]),
    (delete_published_rows, [(WAREHOUSE, "fct_conversation", DAY)]),
]


def test_what_a_run_stored_agrees_and_a_repair_of_it_writes_nothing(home):
    before = home.content()
    repair = home.repair()
    assert (repair.found, repair.mended, repair.left) == ([], [], [])
    assert home.content() == before


@pytest.mark.parametrize(("tamper", "wrong"), TAMPERINGS, ids=[tamper.__name__ for tamper, _ in TAMPERINGS])
def test_tampering_is_found_named_and_mended_alone(
    home: Home, tamper: Callable[[Home], str], wrong: list[tuple[str, str, str]]
) -> None:
    identity = tamper(home)
    other_day = home.repair([DAYS[0]])
    assert (other_day.found, other_day.mended) == ([], [])
    repair = home.repair()
    assert [(one.store, one.table, one.day) for one in repair.found] == wrong
    assert all(one.ids == (identity,) or (not identity and not one.ids) or one.rows > 1 for one in repair.found)
    mended = {(one.store, one.table, one.day) for one in repair.mended}
    assert mended >= set(wrong)
    assert {(store, day) for store, _, day in mended} == {(store, day) for store, _, day in wrong}
    assert repair.left == []
    assert home.look() == []
    again = home.repair()
    assert (again.found, again.mended) == ([], [])


@pytest.mark.parametrize("table", ["raw_messages", "messages", "message_embeddings", "conversations", "agent_daily"])
@pytest.mark.parametrize("how", ["truncated", "rewritten"])
def test_a_damaged_file_is_computed_again_from_its_upstream_to_the_same_content(home, table, how):
    path = home.file(table)
    before = home.content()
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        content, footer = pq.read_table(path), pq.read_metadata(path).metadata
        pq.write_table(content.slice(0, content.num_rows - 1).replace_schema_metadata(footer), path)
    assert ("lake", table, DAY) in home.look()
    repair = home.repair()
    assert [(one.store, one.table, one.day) for one in repair.mended] == [("lake", table, DAY)]
    assert repair.left == []
    assert home.content() == before


def test_a_missing_file_is_computed_again_when_something_was_computed_from_it(home):
    before = home.content()
    for table in ("messages", "conversations"):
        home.file(table).unlink()
    assert home.look([DAYS[0]]) == []
    assert {("lake", "messages", DAY), ("lake", "conversations", DAY)} <= set(home.look())
    repair = home.repair([DAY])
    assert [(one.table, one.day) for one in repair.mended] == [("messages", DAY), ("conversations", DAY)]
    assert home.content() == before


def test_a_day_that_the_source_no_longer_has_is_never_emptied(home, monkeypatch):
    kept = home.file("raw_messages").read_bytes()
    home.file("raw_messages").write_bytes(kept[:50])
    held = {day: version for day, version in home.platform.source.days().items() if day != DAY}
    monkeypatch.setattr(home.platform.source, "days", lambda: held)
    repair = home.repair()
    assert repair.mended == []
    assert [(one.table, one.day) for one in repair.left] == [("raw_messages", DAY)]
    assert "the source no longer has this day" in str(repair.left[0])
    assert home.file("raw_messages").read_bytes() == kept[:50]
    home.file("raw_messages").write_bytes(kept)


def test_documents_of_no_day_of_the_lake_are_removed(home):
    found = first(home, "conversation_categories")
    elsewhen = {**found, "_id": "x:1", "date": AT - dt.timedelta(days=4000)}
    home.database["conversation_categories"].insert_one(elsewhen)
    home.database["conversation_categories"].insert_one({**found, "_id": "x:2", "date": AT + dt.timedelta(hours=5)})
    assert home.look() == [(MONGO, "conversation_categories", elsewhen["date"].date().isoformat()),
                           (MONGO, "conversation_categories", "")]  # fmt: skip
    assert home.repair().left == []
    assert home.look() == []
    assert home.database["conversation_categories"].count_documents({"_id": {"$in": ["x:1", "x:2"]}}) == 0


@pytest.mark.parametrize("how", ["unreadable", "another day"])
def test_a_warehouse_that_no_day_can_be_built_over_is_built_anew(home, how):
    before = home.platform.marts.warehouse.rows()
    if how == "unreadable":
        (home.path / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    else:
        home.warehouse(
            f"insert into fct_conversation by name select * "
            f"replace ('x' as conversation_id, date '1999-01-01' as date) "
            f"from fct_conversation where date = '{DAY}' limit 1"
        )
    assert {store for store, _, _ in home.look()} == {WAREHOUSE}
    assert home.repair().left == []
    assert home.look() == []
    assert home.platform.marts.warehouse.rows() == before


def tables_of_the_warehouse(home: Home) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the published file."""
    with duckdb.connect(home.path / "warehouse.duckdb", read_only=True) as connection:
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in names}


def damage_the_warehouse(home: Home, how: str | float) -> None:
    path = home.path / "warehouse.duckdb"
    content = path.read_bytes()
    if how == "deleted":
        path.unlink()
    elif isinstance(how, float):
        start = int(how * len(content))
        flipped = bytes(byte ^ 0xFF for byte in content[start : start + 4096])
        path.write_bytes(content[:start] + flipped + content[start + 4096 :])
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2]}[how])


@pytest.mark.parametrize("how", [0.005, 0.2, 0.35, 0.7, 0.9, "empty", "half", "deleted"])
def test_a_damaged_warehouse_is_told_in_one_line_and_built_anew(home, how):
    """Some parts ended the repair with a traceback, others were never read and counted as right."""
    before = tables_of_the_warehouse(home)
    damage_the_warehouse(home, how)
    assert home.look([DAYS[0]]) == [(WAREHOUSE, "every table", "")]
    repair = home.repair([DAYS[0]])
    assert [(one.store, one.table) for one in repair.found] == [(WAREHOUSE, "every table")]
    assert "\n" not in str(repair.found[0])
    assert {one.day for one in repair.mended} == set(DAYS)
    assert repair.left == []
    assert tables_of_the_warehouse(home) == before


def test_a_run_over_a_damaged_warehouse_names_what_mends_it_and_keeps_the_file(home):
    damage_the_warehouse(home, "half")
    damaged = (home.path / "warehouse.duckdb").read_bytes()
    [failure] = [line for line in home.run([DAY], "fct_message").failures if line.startswith("marts")]
    assert re.search(r"warehouse\.duckdb: damaged \(.*\); `analytics repair` builds it anew$", failure)
    assert (home.path / "warehouse.duckdb").read_bytes() == damaged


def test_a_warehouse_is_built_anew_without_the_days_that_the_lake_has_lost(home, monkeypatch):
    """One day that cannot be mended kept the whole warehouse from coming back."""
    kept = {home.file(table): home.file(table).read_bytes() for table in ("raw_messages", "messages")}
    for path, content in kept.items():
        path.write_bytes(content[:50])
    held = {day: version for day, version in home.platform.source.days().items() if day != DAY}
    monkeypatch.setattr(home.platform.source, "days", lambda: held)
    damage_the_warehouse(home, "half")
    repair = home.repair()
    assert {one.day for one in repair.mended if one.store == WAREHOUSE} == {DAYS[0], DAYS[2]}
    assert {(one.table, one.day) for one in repair.left} >= {("raw_messages", DAY), ("messages", DAY)}
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("table", "other"),
    [
        ("messages", f"messages/date={DAYS[2]}"),
        ("quarantined_rows", f"quarantined_rows/date={DAYS[2]}"),
        ("conversation_insights", f"conversation_insights/date={DAYS[2]}"),
        ("user_daily", f"user_daily/date={DAYS[2]}"),
        ("conversations", f"raw_conversations/date={DAY}"),
    ],
)
def test_a_misplaced_file_is_found_and_mended_alone(home, table, other):
    """A valid file of another day or table passed as right, and ended the repair with a traceback."""
    before = home.content()
    home.file(table).write_bytes((home.path / "lake" / other / "data.parquet").read_bytes())
    identity = edit_a_document(home)
    found = find_disagreements(home.platform, home.recipes, None).found
    assert [str(one) for one in found if one.table == table and "it is the file of" in str(one)]
    repair = home.repair()
    assert {(one.store, one.table, one.day) for one in repair.mended} == {
        ("lake", table, DAY), (MONGO, "conversation_messages", DAY),
    }  # fmt: skip
    assert identity in {name for one in repair.found for name in one.ids}
    assert (repair.left, home.content()) == ([], before)


def test_a_run_computes_nothing_from_a_misplaced_file(home):
    kept, before = home.file("messages").read_bytes(), home.content()
    home.file("messages").write_bytes(home.file("messages", DAYS[2]).read_bytes())
    misplaced = home.content()
    [failure] = home.run([DAY], "message_embeddings").failures
    assert "it is the file of messages 2006-05-18" in failure
    assert home.content() == misplaced
    home.file("messages").write_bytes(kept)
    assert home.content() == before


def test_a_partition_that_cannot_be_compared_is_told_in_a_line_and_the_rest_goes_on(home, monkeypatch):
    identity = edit_a_document(home)
    read_back = home.platform.mongo.read_back

    def fail_for_one(name: str, key: str, *ends: Any) -> Any:
        if (name, key) == ("conversation_analytics", DAY):
            raise ValueError("somebody's own words\nin two lines")
        return read_back(name, key, *ends)

    monkeypatch.setattr(home.platform.mongo, "read_back", fail_for_one)
    found = find_disagreements(home.platform, home.recipes, None).found
    assert [(one.table, one.ids) for one in found] == [
        ("conversation_analytics", ()), ("conversation_messages", (identity,)),
    ]  # fmt: skip
    told = str(found[0])
    assert told.startswith(f"{DAY}: mongo conversation_analytics: cannot be compared: ValueError in ")
    assert "own words" not in told


def test_a_file_of_somebody_else_is_left_and_the_rest_is_mended(home):
    kept = home.file("agent_daily").read_bytes()
    pq.write_table(pq.read_table(home.file("agent_daily")).replace_schema_metadata(None), home.file("agent_daily"))
    theirs = home.file("agent_daily").read_bytes()
    edit_a_document(home)
    repair = home.repair()
    assert [(one.store, one.table) for one in repair.mended] == [(MONGO, "conversation_messages")]
    assert [(one.table, "not written by this platform" in one.problem) for one in repair.left] == [
        ("agent_daily", True)
    ]
    assert home.file("agent_daily").read_bytes() == theirs
    home.file("agent_daily").write_bytes(kept)


@pytest.mark.parametrize("table", ["quarantined_rows", "conversation_embeddings", "model_daily", "llm_calls"])
def test_a_missing_file_that_nothing_is_computed_from_is_made_again(home, table):
    """A day with a report went through the whole graph; its missing file counted as never computed."""
    before = home.content()
    home.file(table).unlink()
    assert home.look() == [("lake", table, DAY)]
    repair = home.repair()
    assert [(one.store, one.table, one.day) for one in repair.mended] == [("lake", table, DAY)]
    assert (repair.left, home.content()) == ([], before)


def test_what_no_run_was_asked_for_is_not_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANALYTICS_START_DATE", DAY)
    monkeypatch.setenv("ANALYTICS_END_DATE", DAY)
    with dg.DagsterInstance.ephemeral() as instance:
        part = Home(tmp_path / "home", instance)
        try:
            assert part.run([DAY], "*messages").failures == []
            assert [table for store, table, _ in part.look() if store == "lake"] == []
        finally:
            part.close()


def failed_checks(outcome: Outcome) -> list[str]:
    return [line.partition(":")[0] for line in outcome.failures if line.startswith("check ")]


def test_nothing_that_sums_conversations_up_is_computed_while_the_stores_disagree(home):
    edit_a_document(home)
    outcome = home.run([DAY])
    assert failed_checks(outcome) == [f"check {AGREES} of mongo/conversation_messages failed"]
    assert f"{DAY}: mongo conversation_messages: 1 row differs" in str(outcome.failures)
    assert {"fct_message", "mongo/conversation_messages"} <= set(outcome.tables)
    assert not {"daily_report", "mongo/user_analytics"} & set(outcome.tables)
    home.repair()
    outcome = home.run([DAY])
    assert outcome.failures == []
    assert {"daily_report", "mongo/user_analytics"} <= set(outcome.tables)


def test_a_wrong_warehouse_blocks_too_and_a_run_of_another_day_is_not_held_up(home):
    change_a_published_row(home)
    other = home.run([DAYS[0]])
    assert other.failures == []
    assert "daily_report" in other.tables
    outcome = home.run([DAY])
    assert failed_checks(outcome) == [f"check {AGREES} of fct_message failed"]
    assert not {"daily_report", "mongo/user_analytics"} & set(outcome.tables)


def test_the_nightly_job_checks_every_day_and_computes_nothing(home):
    def failing() -> set[tuple[str, str]]:
        job = home.definitions.resolve_job_def(STORE_AGREEMENT)
        result = job.execute_in_process(instance=home.instance, raise_on_error=False)
        assert result.get_asset_materialization_events() == []
        checks = result.get_asset_check_evaluations()
        lake_tables = [asset for asset in TABLES if asset.recipe.store == "lake"]
        assert len({check.asset_check_key for check in checks}) == len(lake_tables) + 7
        return {(check.asset_key.to_user_string(), check.check_name) for check in checks if not check.passed}

    assert failing() == set()
    edit_a_document(home)
    kept = home.file("quarantined_rows", DAYS[2]).read_bytes()
    home.file("quarantined_rows", DAYS[2]).write_bytes(kept[:-50])
    assert failing() == {("mongo/conversation_messages", AGREES), ("quarantined_rows", FITS)}
    assert home.repair().left == []
    assert failing() == set()


def test_what_seems_wrong_while_a_run_is_at_work_is_compared_again_when_it_has_ended(home, monkeypatch):
    identity = first(home, "conversation_messages")["_id"]
    kept = home.database["conversation_messages"].find_one({"_id": identity})
    edit_a_document(home)

    @contextmanager
    def wait_for_the_run(start: str, end: str) -> Iterator[None]:
        """Stand in for a run that completes the day."""
        assert (start, end) == (DAY, DAY)
        home.database["conversation_messages"].replace_one({"_id": identity}, kept)
        yield

    platform = home.platform
    audit = Audit(platform.lake, platform.mongo, platform.marts, tuple(home.recipes.values()), wait_for_the_run)
    recipe = home.recipes[dg.AssetKey(["mongo", "conversation_messages"])]
    assert list(audit.of_collection(recipe)) == []
    edit_a_document(home)
    assert [one.day for one in audit.of_collection(recipe, {DAY})] == [DAY]


def test_a_repair_holds_the_days_that_it_looks_at(home, monkeypatch):
    held: list[tuple[str, str]] = []

    def hold(start: str, end: str) -> AbstractContextManager[None]:
        held.append((start, end))
        return nullcontext()

    monkeypatch.setattr(home.platform, "hold_days", hold)
    home.repair([DAY])
    home.repair()
    assert held == [(DAY, DAY), (DAYS[0], DAYS[-1])]


def test_a_repair_tells_the_event_history_what_it_mended_and_how_the_checks_stand(home):
    edit_a_document(home)
    key = dg.AssetKey(["mongo", "conversation_messages"])
    home.run([DAY], "mongo/conversation_messages")
    job = home.definitions.resolve_job_def(STORE_REPAIR)
    config = {"ops": {"mend_stores": {"config": {"first_day": DAY}}}}
    result = job.execute_in_process(instance=home.instance, run_config=config)
    events = result.get_asset_materialization_events()
    assert [(event.asset_key, event.partition) for event in events] == [(key, DAY)]
    verdicts = {check.asset_key: check.passed for check in result.get_asset_check_evaluations()}
    assert verdicts[key]
    summary = home.instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(key, AGREES))
    assert summary.event.asset_check_evaluation.passed


def test_the_command_says_what_disagrees_and_mends_it(home, monkeypatch):
    identity = edit_a_document(home)
    runner = CliRunner()
    only_said = runner.invoke(app, ["repair", "--dry-run", "--from", DAY, "--to", DAY, "--json"])
    assert only_said.exit_code == 1
    found = orjson.loads(only_said.stdout)["found"]
    assert [(one["store"], one["table"], one["day"], one["ids"]) for one in found] == [
        (MONGO, "conversation_messages", DAY, [identity])
    ]
    mended = runner.invoke(app, ["repair"])
    assert mended.exit_code == 0
    assert f"repaired: {DAY}: mongo conversation_messages" in mended.output
    assert "agree; nothing was written" in runner.invoke(app, ["repair"]).output


def test_a_lake_on_s3_is_compared_and_mended_alike(s3, tmp_path, monkeypatch):
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ANALYTICS_LAKE_URI", f"s3://{s3.bucket}/agreement")
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANALYTICS_START_DATE", DAY)
    monkeypatch.setenv("ANALYTICS_END_DATE", DAY)
    with dg.DagsterInstance.ephemeral() as instance:
        remote = Home(tmp_path / "home", instance)
        try:
            assert remote.run([DAY]).failures == []
            assert remote.look() == []
            edit_a_document(remote)
            files = fs.S3FileSystem(
                access_key=s3.key, secret_key=s3.secret, endpoint_override=s3.url.partition("://")[2], scheme="http",
                region="us-east-1",
            )  # fmt: skip
            with files.open_output_stream(remote.platform.lake.path("conversations", DAY)) as stream:
                stream.write(os.urandom(1000))
            repair = remote.repair()
            assert [(one.store, one.table) for one in repair.mended] == [
                ("lake", "conversations"), (MONGO, "conversation_messages"),
            ]  # fmt: skip
            assert remote.look() == []
        finally:
            remote.close()
