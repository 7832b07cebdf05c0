"""Whatever a source writes into the columns that marts, rates and tests interpret, the whole graph takes it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import tables_of
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

FIRST = dt.datetime(2024, 1, 1, 10, tzinfo=dt.UTC)
DAYS = [(FIRST + dt.timedelta(days=number)).date().isoformat() for number in range(3)]

TEXTS: list[Any] = [
    None, "", " ", "\t\n", "\x00", "a\x00b", "\u200b", "\u202egnp.exe", "\x1b[31mred", "\x85", "\ufeffbom", "\ufffd",
    "escalated", "Escalated", " ESCALATED ", "closed", "on_hold", "On-Hold", "resolved", "Not Resolved", "not",
    "NaN", "nan", "null", "NULL", "None", "NA", "n/a", "inf", "-inf", "true", "0", "1.0", "-0", "1e400", "other", "und",
    "'", '"', "''; drop table fct_conversation; --", "\\", "$where", "a.b", "{}", "[]", "{{ 1 }}", "%s", "<b>x</b>",
    "ünïcode", "u\u0308", "\u00fc", "İstanbul", "ſtraße", "مرحبا", "你好", "🙂", "🇩🇪" * 40, "e\u0301" * 200,
    "x" * 512, "x" * 513, "x " * 250, 0, -1, 1.5, True, False, 2**63, [], {"a": 1},
]  # fmt: skip
NUMBERS: list[Any] = [
    None, "", 0, -0.0, 1, 5, -1, 1e-300, 0.1, 1.5, 1e15, -1e15, 1e18, 1e300, -1e300, 1.7e308, 2**53, 2**63, 2**70,
    "NaN", "inf", "-inf", "1e400", "twelve", " 4 ", "4,5", "5/5", "★★★", True, [],
]  # fmt: skip
ROLES: list[Any] = [
    "agent", "assistant", "user", "system", "tool", " Agent ", "USER", "bot", "", None, "\x00", 3, "x" * 600,
]  # fmt: skip
STATED = ("user_id", "agent_id", "model", "channel", "language", "outcome", "variant")
MEASURED = ("rating", "tokens", "cost")

PLAIN = {"user_id": "ann", "agent_id": "bob", "channel": "web", "outcome": "resolved", "role": "agent"}


def every_value() -> list[dict[str, Any]]:
    """Return conversations that show each value above in each column that could hold it, one column at a time."""
    pools = {**dict.fromkeys(STATED, TEXTS), **dict.fromkeys(MEASURED, NUMBERS), "role": ROLES}
    return [{**PLAIN, name: value} for name, pool in pools.items() for value in pool]


def of(pool: list[Any], *others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(pool), *others)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CONVERSATIONS = st.lists(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(STATED, of(TEXTS, WORDS)),
            **dict.fromkeys(MEASURED, of(NUMBERS, st.floats(allow_nan=False, allow_infinity=False), st.integers())),
            "role": of(ROLES, WORDS),
        }
    ),
    min_size=20,
    max_size=60,
)


def write(path: Path, conversations: list[dict[str, Any]]) -> set[str]:
    """Write two messages a conversation, of which the second has the unusual values; return their ids."""
    numbers = count()
    with path.open("w") as file:
        for stated in conversations:
            number = next(numbers)
            start = FIRST + dt.timedelta(days=number % len(DAYS), minutes=number)
            first = {"conversation_id": f"c{number}", "role": "user", "text": "my printer does not print"}
            second = {**first, **stated, "text": "is the cable in?"}
            for position, row in enumerate((first, second)):
                row["timestamp"] = (start + dt.timedelta(minutes=position)).isoformat()
                file.write(json.dumps(row) + "\n")
    return {f"c{number}" for number in range(len(conversations))}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose ``rows.jsonl`` is the source; one embedded MongoDB server serves every example."""
    folder = tmp_path_factory.mktemp("unusual")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "HOME": folder / "home", "SOURCE": "files", "SOURCE_PATH": folder / "rows.jsonl",
            "START_DATE": DAYS[0], "END_DATE": DAYS[-1],
        }.items():  # fmt: skip
            patch.setenv(f"ANALYTICS_{name}", str(value))
        with closing(Platform(load_settings())) as platform:
            prepare_manifest(platform.settings.dbt_project_dir)
            platform.mongo.keys("analytics_reports/daily")
            yield folder


def run(platform: Platform) -> Outcome:
    with dg.DagsterInstance.ephemeral() as instance:
        return materialize(
            platform, Graph.of(build_definitions(platform), instance), DAYS,
            job_name=EVERYTHING, assets=tables_of(platform.settings), selection=None, force=False,
        )  # fmt: skip


# A failing example is not made smaller: each attempt is a run of the whole graph.
@settings(max_examples=by_day_or_night(2, 20), phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(conversations=every_value())
@given(conversations=CONVERSATIONS)
def test_no_value_of_a_source_keeps_warehouse_and_reports_away(home, conversations):
    """One conversation with the outcome ``escalated`` kept every day from the warehouse and from having a report."""
    written = write(home / "rows.jsonl", conversations)
    with closing(Platform(load_settings())) as platform:
        outcome = run(platform)
        warehouse_path, reports = platform.settings.warehouse_path, platform.settings.reports_dir
    assert outcome.failures == []
    assert outcome.failed_conversations == 0
    with duckdb.connect(warehouse_path, read_only=True) as warehouse:
        built = warehouse.execute("select date::varchar from agg_daily order by date").fetchall()
        known = {name for (name,) in warehouse.execute("select conversation_id from fct_conversation").fetchall()}
    assert [day for (day,) in built] == DAYS
    assert known == written
    assert [path.stem for path in sorted(reports.rglob("*.html"))] == sorted(DAYS)
