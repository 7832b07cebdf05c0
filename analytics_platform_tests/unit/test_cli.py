"""What the command line answers before any work starts, and how results read."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from analytics_platform.cli import graphless
from analytics_platform.cli.app import main
from analytics_platform.cli.console import (
    outcome_table,
    partition_progress,
    print_outcome,
    reconciled_line,
    revealed_lines,
    similar_lines,
    stage_progress,
    trained_lines,
)
from analytics_platform.cli.doctor import Examination, examine
from analytics_platform.cli.requested_days import requested_days
from analytics_platform.defs.assets.everyday import recipes_of
from analytics_platform.defs.consistency.left_out import count_quarantined
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.tables.learning_tables import PROMOTED_MODEL
from analytics_platform.model.tables.raw_tables import QUARANTINED_ROWS, RAW_MESSAGES
from analytics_platform.operations.reveal import Revealed, RevealedMessage
from analytics_platform.operations.runs.outcome import Outcome, TableOutcome
from analytics_platform.operations.runs.unknown_outcomes import UnknownOutcomes
from analytics_platform.operations.similar import Similar, SimilarConversation
from analytics_platform.operations.table_names import may_be_table, names_of_assets
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.warehouse.dbt_project import mart_names
from analytics_platform.system.output import print_message
from analytics_platform_tests.heavy_imports import STALE_ONLY
from analytics_platform_tests.rights import usual_rights

HEAVY = {"dagster", "pyarrow", "pandas", "numpy", "duckdb", "pymongo", "sklearn", "altair"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line with which a command is refused."""
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--from", "20060515"], ["run", "--from", "1999-01-01"]])
def test_what_needs_no_work_is_answered_before_anything_heavy_is_imported(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom analytics_platform.cli.app import main\n"
        f"try:\n    main()\nfinally:\n    print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60)
    assert finished.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow  # starts a process
def test_the_command_and_a_status_import_nothing_that_only_a_stale_day_needs(tmp_path: Path) -> None:
    """A status of a small home took five processor-seconds, nearly all of them for imports."""
    (tmp_path / "chats.csv").write_text("conversation_id,role,text,timestamp\nc,user,hi,2024-01-05T10:00:00Z\n")
    script = (
        "import sys\nfrom analytics_platform.cli.app import main\n"
        f"print(sorted({HEAVY | STALE_ONLY!r} & set(sys.modules)))\n"
        f"try:\n    main()\nfinally:\n    print(sorted({STALE_ONLY!r} & set(sys.modules)))"
    )
    chats = {"ANALYTICS_SOURCE": "files", "ANALYTICS_SOURCE_PATH": str(tmp_path / "chats.csv")}
    finished = subprocess.run(
        [sys.executable, "-c", script, "status"],
        env={**os.environ, **chats},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    of_the_command, *_, of_the_status = finished.stdout.splitlines()
    assert (of_the_command, of_the_status) == ("[]", "[]")
    assert "files, not all read yet" in finished.stdout


@pytest.mark.slow  # starts a process
def test_a_table_that_does_not_exist_is_refused_before_the_graph_is_imported() -> None:
    """The refusal took 11 s, and 17 to 52 s on a loaded machine: it waited for Dagster and every asset."""
    script = (
        "import sys\nfrom analytics_platform.cli.app import main\n"
        "try:\n    main()\nfinally:\n    print(sorted({'dagster', 'duckdb', 'pymongo'} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script, "why", "2006-05-28", "nope"], capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.splitlines() == ["[]"]
    assert finished.stderr.startswith("why nope: there is no such table; there are agent_daily, ")
    assert finished.returncode == 2


def test_names_known_without_the_graph_are_those_of_the_graph() -> None:
    """A table missing among the declared names could not be explained."""
    settings = load_settings()
    recipes = recipes_of(settings)
    names = {*recipes, *mart_names(settings.dbt_project_dir)}
    assert set(names_of_assets(settings.dbt_project_dir)) == names
    others = {name.rpartition("/")[2] for name in recipes} | {recipe.table.name for recipe in recipes.values()}
    every = names | others | {recipe.table.base_name for recipe in recipes.values()}
    assert [name for name in sorted(every) if not may_be_table(name, settings.dbt_project_dir)] == []


@pytest.mark.parametrize("arguments", [[], ["c1", "--text", "printer"]])
def test_similar_wants_a_conversation_or_a_text_and_not_both(monkeypatch, capsys, home, arguments) -> None:
    line = refusal(monkeypatch, capsys, "similar", *arguments)
    assert line == "similar: needs exactly one of CONVERSATION_ID, --text and --topic"
    assert not home.exists()


def test_a_home_removed_while_a_command_works_is_one_line(monkeypatch, capsys, home) -> None:
    """SQLAlchemy's traceback of 168 lines, "unable to open database file", was all that a person saw."""

    def remove_home(_platform, instance):
        shutil.rmtree(home)
        instance.get_runs()

    monkeypatch.setattr("analytics_platform.operations.status.examine", remove_home)
    line = refusal(monkeypatch, capsys, "status")
    assert line == f"{home}: removed or replaced while the command was working in it; run again to go on"


def test_reconciling_files_says_what_was_read_and_what_comes_next(monkeypatch, capsys, tmp_path) -> None:
    """All that a person got was "read anew"."""
    rows = [f"c{number},2024-01-0{number},user,hello" for number in (1, 2, 2)]
    (tmp_path / "chats.csv").write_text("\n".join(["conversation_id,timestamp,role,text", *rows]))
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(tmp_path / "chats.csv"))
    for option, expected in (
        ([], "3 rows of 2 days, 2024-01-01 to 2024-01-02; `analytics run` computes new and changed days"),
        (["--json"], '"rows": 3'),
    ):
        monkeypatch.setattr(sys, "argv", ["analytics", "reconcile", *option])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("different", "end"),
    [
        (
            {"vanished": 1_000, "missing": 0},
            "1,000 vanished, 0 missing; `analytics run` restates the changed days",
        ),
        ({"vanished": 0, "missing": 0}, "0 vanished, 0 missing; no row differs"),
    ],
)
def test_reconciling_a_server_says_what_comes_next(different, end) -> None:
    line = reconciled_line(different, {"2024-01-01": 2, "2024-01-02": 3})
    assert line == f"5 rows of 2 days, 2024-01-01 to 2024-01-02 compared with the source: {end}"


def test_similar_conversations_are_lines_with_day_id_topic_and_first_words() -> None:
    rows = [
        SimilarConversation("2024-01-01", "c1", 0.91234, "printing", "no ink"),
        SimilarConversation("2024-01-02", "long-1", -0.5, None, None),
    ]
    assert list(similar_lines(Similar(rows, 30, 12_345, 2))) == [
        "2024-01-01  c1       0.912  printing  no ink",
        "2024-01-02  long-1  -0.500",
        "2 of 12,345 conversations of 30 days",
        "2 days with conversations have no vectors yet and were not searched",
    ]


def test_a_revealed_conversation_is_a_line_per_message_and_its_code_follows_the_text() -> None:
    said = [("user", "ann@example.com says ls", ["ls"]), ("assistant", "so:", ["a\n  b"]), ("tool", "", [])]
    messages = [
        RevealedMessage(f"m{place}", place, role, "2024-01-01T00:00:00+00:00", text, code, [])
        for place, (role, text, code) in enumerate(said)
    ]
    assert list(revealed_lines(Revealed("2024-01-01", "c", messages))) == [
        "2024-01-01T00:00:00+00:00  user       ann@example.com says ls `ls`",
        "2024-01-01T00:00:00+00:00  assistant  so: `a b`",
        "2024-01-01T00:00:00+00:00  tool",
    ]


def test_what_is_said_is_data_and_neither_markup_nor_emoji_nor_a_command_to_the_terminal(capsys) -> None:
    print_message("[red]00:ab:12[/] \x1b[31m\nnext\x9b")
    assert capsys.readouterr().err == "[red]00:ab:12[/] \\x1b[31m\\nnext\\x9b\n"


def test_revealing_without_a_key_or_with_no_day_is_one_line(monkeypatch, capsys, home) -> None:
    line = refusal(monkeypatch, capsys, "reveal", "c1")
    assert line.startswith("ANALYTICS_PII_SPANS_KEY: not set")
    line = refusal(monkeypatch, capsys, "reveal", "c1", "--date", "20060515")
    assert line == "--date 20060515: not a day; write it as YYYY-MM-DD"
    assert not home.exists()


@pytest.mark.parametrize("day", ["20060515", "2006-W20-1", "2006-02-30", "2006-5-15", "soon", "２００６-05-15", ""])
def test_a_day_is_written_in_one_form(monkeypatch, capsys, home, day) -> None:
    assert refusal(monkeypatch, capsys, "run", "--from", day) == f"--from {day}: not a day; write it as YYYY-MM-DD"
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "1999-01-01"],
        ["--to", "2999-01-01"],
        ["--to", "1999-01-01"],
        ["--from", "2006-06-02", "--to", "2006-06-01"],
    ],
)
def test_days_out_of_order_or_outside_the_partitions_are_named(monkeypatch, capsys, home, arguments) -> None:
    line = refusal(monkeypatch, capsys, "run", *arguments)
    assert line.startswith(" ".join(arguments) + ": must be in order and within 2006-05-15 to 2006-07-02")
    assert not home.exists()


@pytest.mark.parametrize(
    ("stored", "says"),
    [("2006-05-29", "the clock went back"), ("2001-01-01", "before ANALYTICS_START_DATE changed")],
)
def test_stored_days_outside_the_partitions_are_explained(monkeypatch, home, stored, says) -> None:
    """A clock that went back leaves days after today; the line blamed settings that nobody had set."""
    monkeypatch.setattr("analytics_platform.settings.loader.today", lambda: dt.date(2006, 5, 28))
    Lake.open(str(home / "lake")).write("raw_messages", stored, RAW_MESSAGES.empty(), "made of this")
    with closing(Platform(load_settings())) as platform, pytest.raises(UserError, match=says) as refused:
        requested_days(platform, None, None)
    assert "(the end: today is 2006-05-28 by this machine's clock), first" in str(refused.value)
    assert "ANALYTICS_END_DATE" not in str(refused.value)


@pytest.mark.parametrize("arguments", [["run", "--from", "2006-05-30"], ["why", "2006-05-30", "raw_messages"]])
def test_a_day_after_today_is_refused_with_the_clock(monkeypatch, capsys, home, arguments) -> None:
    monkeypatch.setattr("analytics_platform.settings.loader.today", lambda: dt.date(2006, 5, 28))
    line = refusal(monkeypatch, capsys, *arguments)
    assert line.endswith("(from ANALYTICS_START_DATE on; the end: today is 2006-05-28 by this machine's clock)")
    assert not home.exists()


@pytest.mark.parametrize("blocked", ["home", "home/lake/promoted_model", "home/mongo", "backups"])
def test_a_backup_without_permission_names_place_mode_and_action(monkeypatch, capsys, home, tmp_path, blocked) -> None:
    """The line was "[Errno 13] Permission denied" and a path, without the setting, the owner or what to do."""
    for folder in (home / "lake" / "promoted_model", tmp_path / "backups"):
        folder.mkdir(parents=True)
    (home / ".analytics-home").touch()
    if blocked.endswith("mongo"):
        (home / "mongo").mkdir()
    model = {"model_id": "m", "taxonomy_version": "t", "encoder": "e", "corrections": 1, "content": b"m"}
    Lake.open(str(home / "lake")).write("promoted_model", "", PROMOTED_MODEL.from_rows([model]), "made of this")
    (tmp_path / blocked).chmod(0)
    try:
        with usual_rights():
            line = refusal(monkeypatch, capsys, "backup", str(tmp_path / "backups" / "one"))
    finally:
        (tmp_path / blocked).chmod(0o700)
    assert f"{tmp_path / blocked}: this user (" in line
    assert "mode 000); chmod u+" in line
    assert line.startswith("ANALYTICS_HOME: ") == (blocked in ("home", "home/mongo"))


def test_evaluating_what_is_no_parquet_file_is_one_line(monkeypatch, capsys, tmp_path) -> None:
    (tmp_path / "a.parquet").write_text("no")
    line = refusal(monkeypatch, capsys, "evaluate", "--train", "a.parquet", "--test", "a.parquet")
    assert line.startswith("a.parquet: cannot be read as Parquet")


@pytest.mark.parametrize("by_option", [True, False])
def test_evaluating_on_a_gpu_that_is_not_there_is_one_line(monkeypatch, capsys, by_option) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setenv("ANALYTICS_ENGINE", "auto" if by_option else "gpu")
    files = ["--train", "a.parquet", "--test", "a.parquet"]
    line = refusal(monkeypatch, capsys, "evaluate", *files, *(["--device", "gpu"] if by_option else []))
    assert line.startswith("device gpu: no GPU can be used")


def test_evaluating_on_the_device_named_goes_before_the_setting(monkeypatch, capsys) -> None:
    monkeypatch.setenv("ANALYTICS_ENGINE", "gpu")
    line = refusal(monkeypatch, capsys, "evaluate", "--train", "a", "--test", "a", "--device", "cpu")
    assert line.startswith("a: there is no such file")


@pytest.mark.parametrize("progress", [partition_progress, stage_progress])
@pytest.mark.parametrize("quiet", [True, False])
def test_the_device_that_the_engine_took_is_told_once_on_standard_error(capfd, progress, quiet) -> None:
    log = logging.getLogger("analytics_platform.insights.vectors.text_encoder")
    with progress(quiet=quiet):
        log.info("the transformer runs on the CPU [a]")
    log.info("after all is done")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.split("\n").count("the transformer runs on the CPU [a]") == (not quiet)
    assert "after all" not in err


def test_evaluating_shows_stages_on_standard_error_unless_quiet(monkeypatch, capfd) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    seen = []
    monkeypatch.setattr(graphless, "evaluate", lambda *_, on_stage, **__: seen.append(on_stage("fitting on 2 texts")))
    for quiet in (True, False):
        graphless.score(Path("a"), Path("b"), "static", "cpu", quiet=quiet)
        out, err = capfd.readouterr()
        assert (out, "fitting on 2 texts" in err) == ("", not quiet)


def outcome(asset: str = "mongo/conversation_translations") -> Outcome:
    return Outcome(tables={asset: TableOutcome(asset, "operational", 365, 12, 1_234_567, 123_456_789)})


@pytest.mark.parametrize("asset", ["mongo/conversation_translations", "a_" * 60])
def test_names_are_whole_however_narrow_the_terminal(asset: str) -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(outcome_table(outcome(asset)), crop=False)
    assert asset in captured.get()


def test_the_longest_name_of_ours_fits_eighty_columns_with_its_figures() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(outcome_table(outcome()), crop=False)
    header, line = captured.get().splitlines()
    assert header.split() == ["group", "asset", "partitions", "current", "rows", "size"]
    assert line.split() == ["operational", "mongo/conversation_translations", "365", "12", "1,234,567", "123", "MB"]


def test_the_rows_in_quarantine_are_counted_over_the_days_asked_for(tmp_path) -> None:
    lake = Lake.open(str(tmp_path))
    row = dict.fromkeys(QUARANTINED_ROWS.column_names, "x") | {"source_row": 1, "reason": "bad_timestamp"}
    for day, count in (("2024-01-01", 2), ("2024-01-02", 0), ("2024-01-03", 5)):
        rows = [row | {"date": None, "quarantine_id": str(number)} for number in range(count)]
        lake.write("quarantined_rows", day, QUARANTINED_ROWS.empty().from_pylist(rows), "")
    assert count_quarantined(lake, ["2024-01-01", "2024-01-02", "2024-01-04"]) == 2
    assert count_quarantined(lake, ["2024-01-01", "2024-01-03"]) == 7
    assert Outcome(quarantined=7).as_json()["quarantined"] == 7


def test_unknown_outcomes_are_told_on_one_line_with_the_setting_that_maps_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = Outcome(runs=["r"], unknown_outcomes=UnknownOutcomes({"closed": 1200, "a\x1bb\u202e": 1}, more=3))
    print_outcome(told)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "ANALYTICS_OUTCOMES" in line]
    assert "'closed' 1,200, 'a\\x1bb\\u202e' 1 and 3 more words" in line
    assert "ANALYTICS_OUTCOMES='closed=failure'" in line
    assert told.as_json()["unknown_outcomes"] == {
        "words": {"closed": 1200, "a\x1bb\u202e": 1}, "more": 3, "setting": "ANALYTICS_OUTCOMES",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("promoted", "changed", "line"),
    [
        (True, False, "0 corrections: nothing new to learn; the promoted model does not change"),
        (True, True, "promoted; `analytics run` labels again"),
        (False, False, "not promoted"),
    ],
)
def test_training_says_whether_the_next_run_labels_again(promoted: bool, changed: bool, line: str) -> None:
    told = {"promoted": promoted, "changed": changed, "corrections": 0, "feedback": {}, "kinds": {}, "failures": []}
    assert list(trained_lines(told)) == [line]


def test_training_says_which_corrections_were_too_many() -> None:
    told = {"promoted": False, "changed": False, "corrections": 1, "feedback": {}, "kinds": {}, "failures": []}
    assert next(iter(trained_lines({**told, "left_out": ["trained on 400 of 3,000"]}))) == "trained on 400 of 3,000"


def test_a_progress_bar_leaves_no_file_open() -> None:
    process = psutil.Process()
    before = process.num_fds()
    with partition_progress(quiet=True) as progress:
        progress.expect(3)
        assert process.num_fds() > before
    assert process.num_fds() == before


@pytest.fixture
def chats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only file of the source; there is none yet."""
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(tmp_path / "chats.csv"))
    return tmp_path / "chats.csv"


def examined(*wanted: str) -> dict[str, Examination]:
    """Return the lines wanted, or all; the examination ends with the last wanted."""
    found: dict[str, Examination] = {}
    for line in examine(load_settings()):
        found[line.what] = line
        if wanted and found.keys() >= set(wanted):
            break
    return found


def test_doctor_says_of_each_part_that_cannot_be_used_why_in_a_line(chats: Path, home: Path) -> None:
    home.mkdir()
    (home / "warehouse.duckdb").write_bytes(b"no database" * 1000)
    lines = examined("source", "warehouse")
    assert not lines["source"].ok
    assert "chats.csv matches no file" in lines["source"].says
    assert not lines["warehouse"].ok
    assert f"{home}/warehouse.duckdb: damaged (IO Error" in lines["warehouse"].says


def test_doctor_changes_nothing(chats: Path, home: Path) -> None:
    chats.write_text("conversation_id,role,text,timestamp\na,user,hi,2024-01-01\n")
    lines = examined()
    assert all(line.ok for line in lines.values())
    assert "1 file, 0.0 MB, not read" in lines["source"].says
    assert "no data yet" in lines["mongo"].says
    assert [path.name for path in home.parent.iterdir()] == ["chats.csv"]


def test_doctor_sees_what_the_beginning_of_a_file_tells_and_the_days_once_they_are_known(chats: Path) -> None:
    chats.write_text("conversation_id,text,timestamp\na,hi,2024-01-01\n")
    assert "chats.csv: lacks the column role" in examined("source")["source"].says
    chats.write_text("conversation_id,role,text,timestamp\na,user,hi,2024-01-01\n")
    Platform(load_settings()).source.days()
    assert "1 day with rows, 2024-01-01 to 2024-01-01" in examined("source")["source"].says


def test_doctor_names_model_and_host_of_the_llm_where_one_is_configured_and_never_the_key(chats, monkeypatch) -> None:
    chats.write_text("conversation_id,role,text,timestamp\na,user,hi,2024-01-01\n")
    assert "llm" not in examined()
    monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4o-mini")
    monkeypatch.setenv("ANALYTICS_LLM_BASE_URL", "http://127.0.0.1:1/v1")
    assert examined()["llm"].says == "gpt-4o-mini at 127.0.0.1:1, without a key; no request was sent"
    monkeypatch.setenv("ANALYTICS_LLM_API_KEY", "sk-secret")
    assert examined()["llm"].says == "gpt-4o-mini at 127.0.0.1:1, with a key; no request was sent"
