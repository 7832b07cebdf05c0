"""The marts end to end: a lake of known days, one dbt build per run, and what the published warehouse holds."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pyarrow as pa
import pytest

from analytics_platform.defs.assets.mart_assets import build_marts
from analytics_platform.model import Table
from analytics_platform.model.tables.analytics_tables import DAILY_METRICS
from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.error_tables import PROCESSING_ERRORS
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_INSIGHTS
from analytics_platform.model.tables.topic_tables import CONVERSATION_TOPICS
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.warehouse.dbt_project import load_manifest, prepare_manifest
from analytics_platform.storage.warehouse.marts_build import LAKE_TABLES, Marts, MartsFailedError, MissingDaysError
from analytics_platform.storage.warehouse.warehouse_file import Warehouse
from analytics_platform_tests.insight_rows import insight_row

pytestmark = pytest.mark.integration

PROJECT = PROJECT_ROOT / "dbt_project"
DAYS = ["2006-05-15", "2006-05-16", "2006-05-17"]
TOPICS = ("boot", "network", "printing")
PLAIN: dict[str, Any] = {
    **insight_row(), "agent_message_count": 2, "agent_talk_ratio": 0.5, "channel": "irc", "character_count": 5,
    "code": [], "pii": [], "duration_seconds": 300.0, "language": "en", "message_count": 4, "quality_score": 0.5,
    "text": "hello", "token_count": 9, "turn_count": 4, "user_message_count": 2, "word_count": 1,
    "time_source": "message", "topic_confidence": 0.0,
}  # fmt: skip


def fill(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    return table.from_rows([{name: row.get(name, PLAIN.get(name)) for name in table.column_names} for row in rows])


def conversation(day: str, number: int) -> dict[str, Any]:
    start = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(hours=1, minutes=number)
    solved = True if number % 3 == 0 else None
    return {
        "date": start.date(), "conversation_id": f"{day}-{number:04}",
        "user_id": None if number % 7 == 6 else f"user-{number % 5}",
        "agent_id": f"agent-{number % 3}", "model": "gpt" if solved else None,
        "started_at": start, "ended_at": start + dt.timedelta(minutes=5),
        "first_response_seconds": float(number) if number % 4 else None, "answer_count": 1 if number % 4 else 0,
        "outcome": ("solved", "escalated", None)[number % 3], "resolved": solved,
        "rating": float(number) if number % 2 else None,
        "primary_topic": TOPICS[number % 3], "topics": [{"label": TOPICS[number % 3], "confidence": 0.5}],
        "sentiment": (number % 9 - 4) / 4,
    }  # fmt: skip


def message(row: dict[str, Any], position: int) -> dict[str, Any]:
    return row | {
        "message_id": f"{row['conversation_id']}-{position}",
        "position": position,
        "role": "assistant" if position % 2 else "user",
        "sent_at": row["started_at"] + dt.timedelta(minutes=position),
    }


def metrics(day: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    def stated(column: str) -> int:
        return sum(row[column] is not None for row in rows)

    return {
        "date": dt.date.fromisoformat(day), "conversation_count": len(rows), "message_count": 4 * len(rows),
        "user_count": len({row["user_id"] for row in rows} - {None}),
        "agent_count": len({row["agent_id"] for row in rows}),
        "answered_count": stated("first_response_seconds"), "timed_count": len(rows), "closed_count": 0,
        "outcome_count": stated("resolved"),
        "resolved_count": stated("resolved"), "rated_count": stated("rating"),
        "negative_count": sum(row["sentiment"] < -0.25 for row in rows),
        "positive_count": sum(row["sentiment"] > 0.25 for row in rows),
        "topics": [], "intents": [], "hourly_conversations": [0] * 24,
        "failed_conversation_count": 0, "quarantined_row_count": 0,
    }  # fmt: skip


def write_day(lake: Lake, day: str, size: int, *moved: dict[str, Any]) -> None:
    """Write a consistent day of ``size`` conversations with four messages each, the last of them without insight.

    ``moved`` are conversations of other days that start on this one now.
    """
    rows = [conversation(day, number) for number in range(size)]
    rows += [{**row, "date": dt.date.fromisoformat(day)} for row in moved]
    said = [message(row, position) for row in rows for position in range(4)]
    tables = {
        CONVERSATIONS: fill(CONVERSATIONS, rows),
        CONVERSATION_INSIGHTS: fill(CONVERSATION_INSIGHTS, rows),
        CONVERSATION_TOPICS: fill(CONVERSATION_TOPICS, rows),
        MESSAGES: fill(MESSAGES, said),
        MESSAGE_INSIGHTS: fill(MESSAGE_INSIGHTS, [row for row in said if row["position"] < 3]),
        DAILY_METRICS: fill(DAILY_METRICS, [metrics(day, rows)]),
        PROCESSING_ERRORS: PROCESSING_ERRORS.empty(),
    }
    for declared, table in tables.items():
        lake.write(declared.name, day, table, provenance=f"{day}-{size}-{len(moved)}")


SIZES = (9, 0, 7)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of three days and the warehouse built from it, in ``home/``."""
    prepare_manifest(PROJECT)
    folder = tmp_path_factory.mktemp("template")
    lake = Lake.open(str(folder / "lake"))
    for size, day in zip(SIZES, DAYS, strict=True):
        write_day(lake, day, size)
    assert build(marts_of(lake, folder), DAYS) == DAYS
    return folder


@pytest.fixture
def lake(template: Path, tmp_path: Path) -> Lake:
    """A lake of three days."""
    shutil.copytree(template / "lake", tmp_path / "lake")
    return Lake.open(str(tmp_path / "lake"))


@pytest.fixture
def built(template: Path, lake: Lake, tmp_path: Path) -> Marts:
    """The marts of that lake, up to date."""
    (tmp_path / "home").mkdir()
    shutil.copy(template / "home" / "warehouse.duckdb", tmp_path / "home")
    return marts_of(lake, tmp_path)


def marts_of(lake: Lake, tmp_path: Path, name: str = "home", project: Path = PROJECT) -> Marts:
    home = tmp_path / name
    return Marts(Warehouse(home / "warehouse.duckdb"), lake, str(tmp_path / "lake"), project, home / "dbt")


def build(marts: Marts, days: list[str] | None, *, force: bool = False) -> list[str]:
    return list(marts.build(days, lambda _level, _text: None, force=force).days)


def content(marts: Marts) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, dimensions and facts alike, in an order of its own."""
    with duckdb.connect(marts.warehouse.path, read_only=True) as connection:
        tables = marts.warehouse.rows()
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in tables}


def run(marts: Marts, instance: dg.DagsterInstance, *, raise_on_error: bool = True) -> dg.ExecuteInProcessResult:
    partitions = dg.DailyPartitionsDefinition(DAYS[0], end_date="2006-05-18")
    upstream = [dg.AssetSpec(name, partitions_def=partitions) for name in LAKE_TABLES]
    definition = build_marts(partitions, load_manifest(PROJECT), ["team:analytics"])
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
    return dg.materialize(
        [*upstream, definition],
        instance=instance,
        resources={"marts": dg.ResourceDefinition.hardcoded_resource(marts), "days": None},
        tags=tags,
        raise_on_error=raise_on_error,
    )


def materialized(result: dg.ExecuteInProcessResult, name: str) -> dict[str | None, dict[str, Any]]:
    """Metadata by partition of one asset's materializations."""
    return {
        event.partition: {key: value.value for key, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(name)
    }


def test_a_run_over_a_range_publishes_its_days_and_a_second_one_starts_no_dbt(lake: Lake, tmp_path: Path) -> None:
    marts = marts_of(lake, tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        first = run(marts, instance)
        before = marts.warehouse.path.read_bytes()
        shutil.rmtree(marts.target_dir)
        second = run(marts, instance)
    assert marts.warehouse.rows() == {
        "agg_daily": 3, "dim_agent": 3, "dim_date": 3, "dim_model": 1, "dim_topic": 3, "dim_user": 5,
        "fct_conversation": 16, "fct_message": 64,
    }  # fmt: skip
    counts = [facts["dagster/partition_row_count"] for facts in materialized(first, "fct_message").values()]
    assert counts == [36, 0, 28]
    assert materialized(first, "dim_user")[None]["dagster/row_count"] == 5
    checks = first.get_asset_check_evaluations()
    assert len(checks) == 27
    assert all(check.passed for check in checks)
    assert all(facts["reused"] for facts in materialized(second, "fct_message").values())
    assert materialized(second, "dim_user")[None]["reused"]
    for name in ("fct_message", "dim_user"):
        hashes = [
            {key: facts["content_hash"] for key, facts in materialized(one, name).items()} for one in (first, second)
        ]
        assert hashes[0] == hashes[1]
    again = second.get_asset_check_evaluations()
    assert len(again) == 27, "a check without a result made Dagster warn of each of its readers"
    assert {check.metadata["reused"].value for check in again} == {True}
    assert not marts.target_dir.exists()
    assert marts.warehouse.path.read_bytes() == before


def conversations(marts: Marts) -> list[int]:
    """Return the number of conversations that the warehouse holds of each day."""
    return [content.rows for content in marts.warehouse.content_by_day("fct_conversation", DAYS).values()]


def stale_days(marts: Marts) -> list[str]:
    """Return the days that the warehouse must be built for."""
    return [day for day, decision in marts.decisions(DAYS).items() if decision.is_stale]


def test_a_restated_day_alone_is_built_and_the_result_is_that_of_building_everything(
    built: Marts, lake: Lake, tmp_path: Path
) -> None:
    assert stale_days(built) == []
    write_day(lake, DAYS[0], 0)
    write_day(lake, DAYS[1], 4)
    assert stale_days(built) == DAYS[:2]
    assert build(built, DAYS) == DAYS[:2]
    assert stale_days(built) == []
    assert conversations(built) == [0, 4, 7]
    anew = marts_of(lake, tmp_path, "anew")
    assert build(anew, DAYS) == DAYS
    assert content(built) == content(anew)
    assert build(anew, DAYS, force=True) == DAYS
    assert content(built) == content(anew)


@pytest.mark.parametrize("order", [(0, 2), (2, 0)], ids=["the earlier day first", "the later day first"])
def test_a_conversation_that_starts_on_another_day_now_is_never_there_twice(
    built: Marts, lake: Lake, tmp_path: Path, order: tuple[int, int]
) -> None:
    write_day(lake, DAYS[0], 9, conversation(DAYS[2], 6))
    write_day(lake, DAYS[2], 6)
    for day in order:
        assert build(built, [DAYS[day]]) == [DAYS[day]]
    anew = marts_of(lake, tmp_path, "anew")
    build(anew, DAYS)
    assert content(built) == content(anew)


def test_only_the_files_of_the_days_built_are_opened_and_their_order_does_not_matter(
    built: Marts, lake: Lake, tmp_path: Path
) -> None:
    later = marts_of(lake, tmp_path, "later")
    first_file = tmp_path / "lake" / "messages" / f"date={DAYS[0]}" / "data.parquet"
    shutil.move(first_file, tmp_path / "kept.parquet")
    first_file.write_bytes(b"not Parquet")
    assert build(later, DAYS[1:]) == DAYS[1:]
    shutil.move(tmp_path / "kept.parquet", first_file)
    assert build(later, DAYS) == [DAYS[0]]
    assert content(later) == content(built)


def test_a_failing_data_test_is_a_failed_check_and_nothing_is_published(built: Marts, lake: Lake) -> None:
    before = built.warehouse.path.read_bytes()
    wrong = metrics(DAYS[2], []) | {"conversation_count": 99}
    lake.write("daily_metrics", DAYS[2], fill(DAILY_METRICS, [wrong]), provenance="wrong")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(built, instance, raise_on_error=False)
    assert not result.success
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["agg_daily_equals_daily_metrics"]
    assert result.get_asset_materialization_events() == []
    assert built.warehouse.path.read_bytes() == before
    assert "the warehouse stays as it was" in str(result.failure_data_for_node("marts"))


def test_a_failed_data_test_tells_day_column_and_both_values(built: Marts, lake: Lake) -> None:
    """ "Got 2 results, configured to fail if != 0" named neither day nor column."""
    rows = [conversation(DAYS[2], number) for number in range(7)]
    lake.write("daily_metrics", DAYS[2], fill(DAILY_METRICS, [metrics(DAYS[2], rows) | {"outcome_count": 4}]), "wrong")
    found = f"{DAYS[2]}: outcome_count is 3 in agg_daily and 4 in daily_metrics"
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(built, instance, raise_on_error=False)
    [failed] = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert failed.description == found
    assert failed.metadata["problems"].value == [found]
    with pytest.raises(MartsFailedError, match=f"agg_daily_equals_daily_metrics: {found}$"):
        build(built, DAYS)


def test_a_failed_test_of_a_column_tells_value_rows_and_days(built: Marts, lake: Lake) -> None:
    for day, size in ((DAYS[0], 9), (DAYS[2], 7)):
        rows = [conversation(day, number) for number in range(size)]
        wrong = [{**row, "tier": "psychic\n" + "x" * 90 if number < 2 else "static"} for number, row in enumerate(rows)]
        lake.write("conversation_insights", day, fill(CONVERSATION_INSIGHTS, wrong), "wrong")
    with pytest.raises(MartsFailedError) as failed:
        build(built, DAYS)
    shortened = "psychic" + r"\n" + "x" * 32 + "…"
    told = (
        "accepted_values_fct_conversation_insight_tier__static__cascade__transformer__llm: "
        f"{DAYS[0]}, {DAYS[2]}: fct_conversation.insight_tier is '{shortened}' in 4 rows, "
        f"e.g. conversation_id '{DAYS[0]}-0000'; known are static, cascade, transformer, llm"
    )
    assert str(failed.value).splitlines()[1:] == [told]


@pytest.mark.usefixtures("built")
def test_a_changed_project_builds_every_day_anew_from_an_empty_file(lake: Lake, tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project)
    (project / "models" / "marts" / "dim_model.sql").unlink()
    (project / "models" / "marts" / "dim_model.yml").unlink()
    facts = project / "models" / "marts" / "fct_conversation.yml"
    facts.write_text(facts.read_text().replace("to: ref('dim_model')", "to: ref('fct_conversation')"))
    changed = marts_of(lake, tmp_path, project=project)
    assert build(changed, [DAYS[0]]) == DAYS
    assert "dim_model" not in changed.warehouse.rows()
    assert changed.warehouse.rows()["fct_conversation"] == 16


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("path", "before", "after", "stale"),
    [
        ("models/marts/fct_message.yml", "One row per message", "One row for each message", []),
        ("models/marts/fct_message.sql", "final as (", "-- the result\nfinal as (", []),
        ("macros/labels.sql", "most confident first", "in the order of confidence", []),
        ("models/marts/fct_message.sql", "messages.word_count", "messages.word_count + 1 as word_count", DAYS),
        ("models/marts/fct_conversation.yml", "- unique", "- not_null", DAYS),
    ],
)
def test_only_an_edit_of_what_the_project_computes_makes_its_days_stale(
    lake: Lake, tmp_path: Path, path: str, before: str, after: str, stale: list[str]
) -> None:
    """A reworded description built the warehouse of all days anew."""
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project)
    text = (project / path).read_text()
    assert before in text
    (project / path).write_text(text.replace(before, after, 1))
    decisions = marts_of(lake, tmp_path, project=project).decisions(DAYS)
    assert [day for day, decision in decisions.items() if decision.is_stale] == stale


def test_a_day_that_the_lake_lacks_is_named_before_anything_is_built(lake: Lake, tmp_path: Path) -> None:
    marts = marts_of(lake, tmp_path)
    shutil.rmtree(tmp_path / "lake" / "message_insights" / f"date={DAYS[1]}")
    with pytest.raises(MissingDaysError, match=f"before the marts: message_insights {DAYS[1]}$"):
        build(marts, DAYS)
    assert not marts.warehouse.path.exists()


def test_dimensions_alone_outside_any_day_are_those_of_the_days_held(built: Marts, lake: Lake) -> None:
    write_day(lake, DAYS[1], 3)
    assert build(built, None) == [DAYS[1]]
    assert conversations(built) == [9, 3, 7]


def test_the_unit_tests_of_the_models_pass_and_the_project_stays_untouched(built: Marts, tmp_path: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in PROJECT.rglob("*") if path.is_file()}

    before = files()
    dbt = Path(sys.executable).with_name("dbt")
    target = tmp_path / "target"
    options = ["--no-use-colors", "--target-path", target, "--log-path", target, "--vars", f"{{days: [{DAYS[0]}]}}"]
    environment = {"ANALYTICS_DBT_WAREHOUSE": str(built.warehouse.path), "ANALYTICS_DBT_LAKE": built.lake_uri}
    result = subprocess.run(
        [dbt, "test", "--select", "test_type:unit", *options],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PASS=4 WARN=0 ERROR=0" in result.stdout, result.stdout
    assert files() == before


def test_a_lake_on_s3_gives_the_same_warehouse_and_leaks_no_secret(built: Marts, tmp_path: Path, s3: Any) -> None:
    uri = f"s3://{s3.bucket}/marts"
    access = {"endpoint_url": s3.url, "access_key": s3.key, "secret_key": s3.secret}
    lake = Lake.open(uri, region="us-east-1", **access)
    for size, day in zip(SIZES, DAYS, strict=True):
        write_day(lake, day, size)
    home, options = tmp_path / "remote", {"endpoint_url": s3.url, "key": s3.key, "secret": s3.secret}
    marts = Marts(Warehouse(home / "warehouse.duckdb"), lake, uri, PROJECT, home / "dbt", s3_options=options)
    assert build(marts, DAYS) == DAYS
    assert content(marts) == content(built)
    write_day(lake, DAYS[1], 2)
    assert build(marts, DAYS) == [DAYS[1]]
    assert conversations(marts)[1] == 2
    lake.write("daily_metrics", DAYS[1], fill(DAILY_METRICS, [metrics(DAYS[1], [conversation(DAYS[1], 0)])]), "wrong")
    with pytest.raises(
        MartsFailedError, match=f"{DAYS[1]}: conversation_count is 2 in agg_daily and 1 in daily_metrics"
    ):
        build(marts, DAYS)
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert DAYS[1].encode() in written
    assert s3.secret.encode() not in written


def test_days_of_the_marts_keep_their_content_hash_until_their_rows_change(lake: Lake, built: Marts) -> None:
    """Dagster called the daily report stale after each build of the warehouse that changed none of its rows."""
    before = built.warehouse.content_by_day("fct_message", DAYS), built.warehouse.content("dim_user")
    assert [day.rows for day in before[0].values()] == [36, 0, 28]
    build(built, DAYS, force=True)
    assert (built.warehouse.content_by_day("fct_message", DAYS), built.warehouse.content("dim_user")) == before
    with duckdb.connect(built.warehouse.path) as connection:
        connection.execute(f"update fct_message set message_id = message_id || 'x' where date = '{DAYS[0]}'")
    after = built.warehouse.content_by_day("fct_message", DAYS)
    assert [after[day] == before[0][day] for day in DAYS] == [False, True, True]
