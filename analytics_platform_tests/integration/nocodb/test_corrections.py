"""Corrections from a file, from a table of a real NocoDB and from the command, on the graph and in MongoDB."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_platform.cli.commands import run_graph
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.backup import back_up, restore
from analytics_platform.operations.correct import correct
from analytics_platform.settings.loader import load_settings
from analytics_platform_tests.integration.nocodb.server import NocoServer

DAYS = ("2024-03-01", "2024-03-02")
SELECT = "+key:mongo/conversation_analytics"
ROWS = [
    (f"{day}-{number}", role, text, f"{day}T0{number}:00:0{place}Z")
    for day in DAYS
    for number in range(4)
    for place, (role, text) in enumerate([("user", "where is my parcel?"), ("agent", "it comes tomorrow")])
]
COLUMNS = dict.fromkeys(("conversation_id", "kind", "label", "who", "when"), "SingleLineText")
BY_FILE = {"topic": "refunds", "sentiment": "negative", "urgency": "critical"}
BY_TABLE = {"intent": "complain", "resolution": "resolved"}


def write(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return str(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on a file of eight conversations of two days."""
    source = write(tmp_path / "chats.csv", ("conversation_id", "role", "text", "timestamp"), ROWS)
    taxonomy = tmp_path / "own.yaml"
    taxonomy.write_text(
        "extends: [base]\ntopics:\n"
        "  - {label: parcels, description: parcels, examples: [where is my parcel, my parcel is late]}\n"
        "  - {label: refunds, description: refunds, examples: [i want my money back, where is my refund]}\n"
    )
    for name, value in {
        "ANALYTICS_HOME": str(tmp_path / "home"),
        "ANALYTICS_SOURCE": "files",
        "ANALYTICS_SOURCE_PATH": source,
        "ANALYTICS_TAXONOMY": str(taxonomy),
        "ANALYTICS_WORKERS": "1",
        "DAGSTER_HOME": "",  # commands set these
        "DAGSTER_EVENT_BATCH_SIZE": "500",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def run(**expected: int) -> dict[str, dict[str, Any]]:
    """Run, check how many days of tables were computed, and return the conversations in the lake and in MongoDB."""
    with closing(Platform(load_settings())) as platform:
        outcome, _ = run_graph(platform, select=SELECT, quiet=True)
        assert outcome.failures == []
        computed = {name: table.partitions - table.reused for name, table in outcome.tables.items()}
        assert {name: computed.get(name, 0) for name in expected} == expected
        found = {}
        for store, name in ((platform.lake, "conversation_insights"), (platform.mongo, "conversation_analytics")):
            for day in DAYS:
                for row in store.read(name, day).to_pylist():
                    found.setdefault(row["conversation_id"], {})[name] = row
        return found


def assert_corrected(row: Mapping[str, Any], labels: Mapping[str, Any]) -> None:
    """Check that lake and MongoDB have these labels, certain and with the reason."""
    columns = {"topic": "primary_topic"}
    for name, table in row.items():
        assert {kind: table[columns.get(kind, kind)] for kind in labels} == labels, name
    insights = row["conversation_insights"]
    sure = {**insights, "topic_confidence": insights["topics"][0]["confidence"]}
    assert {sure[f"{kind}_confidence"] for kind in labels} == {1.0}
    told = {reason["kind"] for reason in insights["reasons"] if reason["rule"] == "corrected by a person"}
    assert told == set(labels)


def test_corrections_of_every_kind_show_after_the_next_run_on_their_day_alone(
    noco: NocoServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Corrections of sentiment, urgency and resolution changed nothing; those of topics taught, and did not hold."""
    first = run(conversation_insights=2)
    [by_file, by_table, by_command, *_] = sorted(name for name in first if name.startswith(DAYS[1]))

    names = ("conversation_id", "kind", "label", "who", "when")
    rows = [(by_file, kind, label, "ann", "2024-04-01T10:00:00Z") for kind, label in BY_FILE.items()]
    monkeypatch.setenv("ANALYTICS_CORRECTIONS", write(home / "corrections.csv", names, rows))
    table = noco.make_table(COLUMNS)
    labels = [
        {"conversation_id": by_table, "kind": kind, "label": label, "who": "bob"} for kind, label in BY_TABLE.items()
    ]
    ids = noco.insert(table, labels)
    monkeypatch.setenv("NOCODB_CORRECTIONS_TABLE", table)
    monkeypatch.setenv("NOCODB_URL", noco.url)
    monkeypatch.setenv("NOCODB_TOKEN", noco.token.get_secret_value())
    with closing(Platform(load_settings())) as platform:
        correct(platform, by_command, {"topic": "refunds"}, "eve")
        with pytest.raises(UserError, match="--topic refund: no topic of the taxonomy; did you mean refunds"):
            correct(platform, by_command, {"topic": "refund"}, "eve")

    second = run(messages=0, message_insights=0, conversation_insights=1)
    assert_corrected(second[by_file], {**BY_FILE, "sentiment": -1.0})
    assert_corrected(second[by_table], BY_TABLE)
    assert_corrected(second[by_command], {"topic": "refunds"})
    corrected = {by_file, by_table, by_command}
    assert {name: row["conversation_insights"] for name, row in second.items() if name not in corrected} == {
        name: row["conversation_insights"] for name, row in first.items() if name not in corrected
    }
    run(conversation_insights=0)

    with closing(Platform(load_settings())) as platform:  # a backup keeps what was entered, and no correction doubles
        assert back_up(platform, home / "backup").rows["label_feedback"] == 1
        assert restore(platform, home / "backup").parts["label_feedback"].added == 1

    noco.edit(table, [{"Id": ids[1], "label": "unresolved"}])
    third = run(conversation_insights=1)
    assert_corrected(third[by_table], {**BY_TABLE, "resolution": "unresolved"})
    assert_corrected(third[by_command], {"topic": "refunds"})
