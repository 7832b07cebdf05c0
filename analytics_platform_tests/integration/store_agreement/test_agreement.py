"""Lake, MongoDB and warehouse on servers of the test: tampering with one is found, named, and mended alone."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import dagster as dg
import orjson
import pytest
from pyarrow import fs
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.checks.declarations import FITS
from analytics_platform.defs.consistency.audit import Audit
from analytics_platform.defs.consistency.collection_checks import AGREES
from analytics_platform.defs.consistency.repair_job import STORE_REPAIR, find_disagreements
from analytics_platform.defs.consistency.store_agreement import STORE_AGREEMENT
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform_tests.integration.store_agreement.built_home import (
    AT,
    DAY,
    DAYS,
    MONGO,
    WAREHOUSE,
    Home,
    change_a_published_row,
    edit_a_document,
    first,
)


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
    recipe = home.recipes["mongo/conversation_messages"]
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
