"""An outcome without a known meaning, from the first run over the setting that gives it one to the figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics_platform.cli.app import main

pytestmark = pytest.mark.integration

DAY = "2024-01-05"
OUTCOMES = ["escalated", "Escalated", "closed", "on_hold", "resolved", "\x1b[31mcall ann@example.com", None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home over one day of conversations, one for each outcome."""
    rows = [
        {"conversation_id": f"c{number}", "role": role, "text": "my printer does not print", "outcome": outcome,
         "timestamp": f"{DAY}T1{number}:0{position}:00Z"}
        for number, outcome in enumerate(OUTCOMES)
        for position, role in enumerate(("user", "agent"))
    ]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": tmp_path / "home", "SOURCE": "files", "SOURCE_PATH": tmp_path / "rows.jsonl"}.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set these
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    return tmp_path / "home"


def say(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capfd.readouterr()
    assert not ended.value.code, printed.err
    return printed.out, printed.err


def counted(home: Path) -> tuple[Any, ...]:
    with duckdb.connect(home / "warehouse.duckdb", read_only=True) as warehouse:
        return warehouse.execute("select outcome_count, resolved_count from agg_daily").fetchall()[0]


def test_words_without_a_meaning_are_listed_until_the_setting_gives_them_one(home, monkeypatch, capfd):
    """Conversations with the outcome ``closed`` or ``escalated`` were in no rate, and nobody was told."""
    _, err = say(monkeypatch, capfd, "run")
    [line] = [line for line in err.splitlines() if "ANALYTICS_OUTCOMES" in line]
    assert "'escalated' 2, " in line
    assert "'on hold' 1" in line
    assert "resolved" not in line
    assert "ann@example.com" not in line
    assert "\x1b" not in line
    assert counted(home) == (1, 1)

    monkeypatch.setenv("ANALYTICS_OUTCOMES", "escalated=failure, closed=success, on_hold=neither")
    out, _ = say(monkeypatch, capfd, "run", "--json")
    answer = json.loads(out)
    assert answer["unknown_outcomes"]["setting"] == "ANALYTICS_OUTCOMES"
    assert list(answer["unknown_outcomes"]["words"].values()) == [1]
    written = {table["asset"]: table["partitions"] - table["reused"] for table in answer["tables"]}
    assert (written["conversations"], written["daily_metrics"], written["messages"]) == (1, 1, 0)
    assert counted(home) == (4, 2)
