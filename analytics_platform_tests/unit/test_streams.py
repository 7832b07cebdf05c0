"""Results go to standard output, messages to standard error, and a reader that has enough ends a command quietly."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given

from analytics_platform.cli import commands, graph_commands, graphless
from analytics_platform.cli.app import main
from analytics_platform.cli.console import print_outcome
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.operations import status as status_module
from analytics_platform.operations.redrive import Redriven
from analytics_platform.operations.runs.outcome import Outcome, TableOutcome
from analytics_platform.operations.runs.unknown_outcomes import UnknownOutcomes
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.system.output import (
    PIPE_CLOSED,
    print_json,
    print_message,
    print_result,
    print_warnings_of_logs,
)
from analytics_platform_tests.unit.test_shown_characters import RAW, TEXTS

TROUBLED = Outcome(
    runs=["r"],
    tables={"messages": TableOutcome("messages", "clean", 1, 0, 5, 100)},
    warnings=["check c warns"],
    failures=["step s broke"],
    failed_conversations=2,
    unknown_outcomes=UnknownOutcomes({"closed": 3}),
)
TRAINED = {
    "promoted": False, "changed": False, "corrections": 0, "feedback": {"used": 3}, "kinds": {},
    "failures": ["step s broke"],
}  # fmt: skip
CANNED = {
    "run_graph": (TROUBLED, ["2006-05-15"]),
    "redrive_days": Redriven(TROUBLED, ["2006-05-15"], [], [], 0, 0),
    "train_model": TRAINED,
    "repair_stores": Repair(found=["disagreement"], mended=[], left=["disagreement"]),
    "price_llm": {"conversations": 7},
    "score": {"accuracy": 0.5},
}
WARNING, FAILURE = "warning: check c warns", "failed: step s broke"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "result", "messages"),
    [
        (["run"], "messages", [WARNING, FAILURE, "2 conversations could not be processed", "ANALYTICS_OUTCOMES"]),
        (["demo"], "messages", [WARNING, FAILURE]),
        (["redrive"], "1 day tried again", [WARNING, FAILURE]),
        (["train"], "corrections, used", [FAILURE]),
        (["repair"], "not repaired: disagreement", []),
        (["llm-cost"], "conversations          7", []),
        (["evaluate", "--train", "a", "--test", "b"], "accuracy               0.5000", []),
        (["reconcile"], "4 days", []),
    ],
)
def test_results_go_to_standard_output_and_messages_to_standard_error(monkeypatch, capsys, arguments, result, messages):
    """Results of every command but two went to standard error, so that no pipe and no file got them."""
    for name, canned in CANNED.items():
        [place] = [place for place in (commands, graph_commands, graphless) if name in vars(place)]
        monkeypatch.setattr(place, name, lambda *_, canned=canned, **__: canned)
    monkeypatch.setattr(FileSource, "reconcile", lambda *_, **__: {"days": 4})
    monkeypatch.setattr(FileSource, "rows_by_day", lambda *_: {})
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr()
    assert result in printed.out
    for message in messages:
        assert message in printed.err
        assert message not in printed.out
    if not messages:
        assert printed.err == ""


def test_status_goes_to_standard_output(monkeypatch, capsys):
    source = SimpleNamespace(
        complete=True, rows=5, cursor=None, refreshed_at=None, reconciled_at=None, rows_per_second=None, drift=[]
    )
    found = SimpleNamespace(
        name="sample",
        source=source,
        days=2,
        waiting=[],
        seconds_left=None,
        quarantined=0,
        unplaced=0,
        mongo_from=None,
    )
    monkeypatch.setattr(status_module, "examine", lambda *_: found)
    monkeypatch.setattr(sys, "argv", ["analytics", "status"])
    with pytest.raises(SystemExit):
        main()
    printed = capsys.readouterr()
    assert "quarantined  0 rows" in printed.out
    assert "quarantined" not in printed.err


def test_failures_are_told_where_nothing_was_run(capsys):
    """A run that wrote nothing said that everything was up to date, and ended with an error all the same."""
    print_outcome(Outcome(failures=["the database went away"]))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "failed: the database went away\n"


@pytest.mark.slow
def test_doctor_prints_its_lines_on_standard_output():
    command = [sys.executable, "-c", DOCTOR, "doctor"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "ok  versions" in finished.stdout
    assert "versions" not in finished.stderr


MANY_SIMILAR = """
from analytics_platform.operations import similar
rows = [similar.SimilarConversation("2024-01-01", f"c{number}", 0.5, "topic", "words " * 20) for number in range(9999)]
similar.find_similar = lambda *_, **__: similar.Similar(rows, 1, 9999, 0)
from analytics_platform.cli.app import main
main()
"""
DOCTOR = "from analytics_platform.cli.app import main; main()"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (MANY_SIMILAR, ["similar", "c1"]),
        (MANY_SIMILAR, ["similar", "c1", "--json"]),
        (DOCTOR, ["doctor"]),
        (DOCTOR, ["--help"]),
    ],
)
def test_closed_pipe_ends_a_command_without_a_word(script, arguments):
    """``analytics similar … | head -1`` ended with a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", script, *arguments]
    finished = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    os.close(writing)
    assert finished.stderr == ""
    assert finished.returncode == (1 if arguments == ["--help"] else PIPE_CLOSED)


@given(TEXTS)
@example("c1\nc2\u202e")
def test_printed_line_of_any_text_is_one_line_without_control_characters(text):
    with pytest.MonkeyPatch.context() as patch:
        printed = io.StringIO()
        patch.setattr(sys, "stdout", printed)
        patch.setattr(sys, "stderr", printed)
        print_result(text)
        print_json({"id": text})
        print_message(text.replace("\n", ""))
    result, *document, message, last = printed.getvalue().split("\n")
    assert not RAW & set(result + "".join(document))
    assert not (RAW - {"\t"}) & set(message)
    assert (len(document), last) == (3, "")


def test_warning_in_the_log_of_a_command_is_printed_without_control_characters(monkeypatch, capsys):
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    print_warnings_of_logs()
    logging.lastResort.handle(logging.LogRecord("a", logging.WARNING, "", 1, "left: %s", ("\u202ea",), None))
    assert capsys.readouterr().err == "left: \\u202ea\n"
