"""The whole graph takes the messages of every export that the sources accept, and all its checks pass."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import tables_of
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.model.tables.raw_tables import RAW_MESSAGES
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform_tests.sizes import NIGHTLY

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

CASES = Path(__file__).parents[1] / "unit" / "sources" / "cases"
FIRST_DAY = dt.date(2024, 6, 20)
# Files with the mapping that their folder has. A folder that is absent here is taken whole, without a mapping.
INPUTS = {
    "chatgpt_export": ("conversations.json", None),
    "chatwoot_private_notes": ("messages.csv", "mapping.yaml"),
    "excel_german": ("export_cp1252.csv", "mapping.yaml"),
    "google_sheets_blank_rows": ("sheet.csv", "mapping.yaml"),
    "intercom_parts": ("parts.jsonl", "nested.yaml"),
    "local_time_dst": ("berlin.csv", "mapping.yaml"),
    "qa_pair_rows": ("traces.jsonl", "mapping.yaml"),
    "rasa_events": ("events.jsonl", "mapping.yaml"),
    "role_words": ("roles.jsonl", "mapping.yaml"),
    "slack_channel_day": ("2024-06-20.json", None),
    "teams_graph_html": ("teams.csv", "mapping.yaml"),
    "twcs_twitter": ("twcs.csv", "mapping.yaml"),
    "whatsapp_converted": ("chat.csv", "mapping.yaml"),
    "wildchat_parquet": ("train-00000.parquet", None),
}
SOURCE_COLUMNS = frozenset({"date", "source", "source_file", "source_row", "extra"})


def messages_of(case: Path, staging: Path) -> list[dict[str, Any]]:
    """Return the messages of a case as rows of a file.

    Its conversations are moved by whole days, so that all cases share a few days and are one run: the first day with
    conversations becomes ``FIRST_DAY``, the second the day after.
    """
    name, mapping = INPUTS.get(case.name, ("*.*", None))
    source = FileSource(
        str(case / name),
        staging_dir=staging,
        first_day=dt.date(2015, 1, 1),
        last_day=dt.date(2099, 12, 31),
        mapping=case / mapping if mapping else None,
    )
    with source.held():
        days = [source.read_day(day).messages.to_pylist() for day in source.days()]
    dated = enumerate([rows for rows in days if rows])
    moved = [(row, FIRST_DAY + dt.timedelta(days=place) - row["date"]) for place, rows in dated for row in rows]
    return [
        {
            **{name: value for name, value in row.items() if name not in SOURCE_COLUMNS and value is not None},
            "conversation_id": f"{case.name}/{row['conversation_id']}",
            "timestamp": (row["timestamp"] + by).isoformat(),
        }
        for row, by in moved
    ]


@contextmanager
def computed(patch: pytest.MonkeyPatch, home: Path, settings: dict[str, object]) -> Iterator[tuple[Platform, Outcome]]:
    """Compute all days of files in a home, and give the platform and the outcome."""
    for name, value in {"HOME": home, "SOURCE": "files", **settings}.items():
        patch.setenv(f"ANALYTICS_{name}", str(value))
    with closing(Platform(load_settings())) as platform:
        prepare_manifest(platform.settings.dbt_project_dir)
        with dg.DagsterInstance.ephemeral() as instance:
            outcome = materialize(
                platform, Graph.of(build_definitions(platform), instance), list(platform.source.days()),
                job_name=EVERYTHING, assets=tables_of(platform.settings), selection=None, force=False,
            )  # fmt: skip
        yield platform, outcome


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Platform, Outcome, dict[str, int]]]:
    """Compute the messages of all cases in one home; also return their number per case."""
    folder = tmp_path_factory.mktemp("cases")
    cases = [case for case in sorted(CASES.iterdir()) if case.is_dir()]
    written = {case.name: messages_of(case, folder / "staging" / case.name) for case in cases}
    rows = [row for messages in written.values() for row in messages]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        settings = {"SOURCE_PATH": folder / "rows.jsonl", "START_DATE": FIRST_DAY, "END_DATE": "2025-12-31"}
        with computed(patch, folder / "home", settings) as (platform, outcome):
            yield platform, outcome, {name: len(messages) for name, messages in written.items()}


def test_all_checks_pass_over_every_accepted_export(exports):
    """A value that one kind of export has kept a day from marts and reports."""
    _, outcome, _ = exports

    assert outcome.failures == []
    assert outcome.failed_conversations == 0
    assert outcome.quarantined == 0
    assert outcome.checks_passed > 0


def test_every_message_of_every_export_reaches_the_last_tables(exports):
    platform, _, expected = exports

    for table, store in ((RAW_MESSAGES.name, platform.lake), ("conversation_messages", platform.mongo)):
        days = platform.source.days()
        assert sum(store.info(table, day).rows for day in days) == sum(expected.values())
    assert all(expected.values())


@pytest.mark.skipif(not NIGHTLY, reason="a run of the whole graph for each case takes 15 minutes; `make test-nightly`")
@pytest.mark.parametrize("case", [case.name for case in sorted(CASES.iterdir()) if case.is_dir()])
def test_an_accepted_export_alone_passes_all_checks(tmp_path, monkeypatch, case):
    """An export with one side, one day or one message could fail where many exports together do not."""
    name, mapping = INPUTS.get(case, ("", None))
    stated = {"SOURCE_MAPPING": CASES / case / mapping} if mapping else {}
    settings = {"SOURCE_PATH": CASES / case / name, "START_DATE": "2015-01-01", "END_DATE": "2030-12-31", **stated}

    with computed(monkeypatch, tmp_path / "home", settings) as (platform, outcome):
        assert (outcome.failures, outcome.failed_conversations) == ([], 0)
        assert outcome.checks_passed > 0
        kept = platform.source.summary().kept
        days = platform.source.days()
        assert 0 < kept == sum(platform.lake.info(RAW_MESSAGES.name, day).rows for day in days)
