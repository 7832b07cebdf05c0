"""What is refused before any work, and which characters never reach a terminal."""

from __future__ import annotations

import os
import socket
import sys
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.cli.app import main
from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.console import print_troubles
from analytics_platform.cli.doctor import examine
from analytics_platform.cli.graph_commands import redrive_days, train_model
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.required_inputs import require_inputs
from analytics_platform.settings.loader import load_settings
from analytics_platform.system.plain_text import without_controls

HOSTILE = ["\x1b", "\x9b", "\x7f", "\u202e", "\u2066", "\u061c", "\u2028", "\ufeff"]


@pytest.fixture
def wrong_taxonomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A taxonomy whose second line is wrong, in a home that does not exist yet."""
    taxonomy = tmp_path / "labels.yaml"
    taxonomy.write_text("topics:\n  - label: Not Snake\n    description: d\n    examples: [e]\n")
    monkeypatch.setenv("ANALYTICS_TAXONOMY", str(taxonomy))
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    return taxonomy


@pytest.mark.parametrize("command", [run_graph, redrive_days, train_model])
def test_wrong_taxonomy_is_refused_with_its_line_before_any_work(wrong_taxonomy, tmp_path, command):
    with pytest.raises(UserError, match=f"{wrong_taxonomy}:2: "):
        command(Platform(load_settings()))
    assert not (tmp_path / "home").exists()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a file and sets its variable; the home does not exist, and a model is named."""
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ANALYTICS_TIER", "llm")
    monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4.1-mini")

    def write(variable: str, content: str) -> Path:
        path = tmp_path / variable.lower()
        path.write_text(content)
        monkeypatch.setenv(variable, str(path))
        return path

    return write


LLM_FILES = [
    ("ANALYTICS_LLM_PRICES", "as_of: 2026-01-01\nmodels: [", ":2: not valid YAML: "),
    ("ANALYTICS_LLM_PRICES", "as_of: 2026-13-45\nsource: x\nmodels: {}", ": cannot be read: "),
    (
        "ANALYTICS_LLM_PRICES",
        "as_of: 2026-01-01\nsource: x\nmodels: {m: {input: -1, output: 1}}",
        ":3: models.m.input: ",
    ),
    ("ANALYTICS_LLM_TOKENIZER", "{", ": not a tokenizer.json: "),
]


@pytest.mark.parametrize(("variable", "content", "told"), LLM_FILES)
@pytest.mark.parametrize("command", ["run", "redrive", "repair", "train", "llm-cost"])
def test_wrong_file_of_the_llm_is_refused_in_one_line_before_any_work(
    files, tmp_path, monkeypatch, capsys, command, variable, content, told
):
    """A wrong price list came to light when the days before were computed, and a wrong tokenizer in ``llm-cost``."""
    path = files(variable, content)
    assert refused(monkeypatch, capsys, command).startswith(f"{path}{told}")
    assert not (tmp_path / "home").exists()


def test_cost_without_a_model_or_with_a_wrong_taxonomy_is_refused_before_any_work(
    wrong_taxonomy, tmp_path, monkeypatch, capsys
):
    """The home was made, and days without messages were blamed."""
    monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4.1-mini")
    wrong_taxonomy.write_text("topics:\n- [")
    assert refused(monkeypatch, capsys, "llm-cost").startswith(f"{wrong_taxonomy}:")
    monkeypatch.delenv("ANALYTICS_LLM_MODEL")
    monkeypatch.delenv("ANALYTICS_TAXONOMY")
    assert refused(monkeypatch, capsys, "llm-cost").startswith("ANALYTICS_LLM_MODEL: not set")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["run", "redrive", "train"])
def test_an_llm_without_a_mongodb_for_its_answers_is_refused_before_any_work(tmp_path, monkeypatch, capsys, command):
    """Paid answers would have no place, and each run would pay for them again."""
    monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4.1-mini")
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    assert refused(monkeypatch, capsys, command).startswith("ANALYTICS_LLM_MODEL: an LLM needs MongoDB")
    assert not (tmp_path / "home").exists()


def test_reconcile_refuses_a_wrong_mapping_and_a_missing_source_before_any_work(files, tmp_path, monkeypatch, capsys):
    """The home was made before the mapping was read."""
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(tmp_path / "chats.csv"))
    mapping = files("ANALYTICS_SOURCE_MAPPING", "columns: [")
    assert refused(monkeypatch, capsys, "reconcile").startswith(
        f"ANALYTICS_SOURCE_MAPPING: {mapping}:1: not valid YAML"
    )
    mapping.write_text("{}")
    assert "chats.csv matches no file" in refused(monkeypatch, capsys, "reconcile")
    assert not (tmp_path / "home").exists()


WRONG = {
    "taxonomy": ("ANALYTICS_TAXONOMY", "labels.yaml", "labels.yaml:1: intents: is missing"),
    "engine": ("ANALYTICS_ENGINE", "gpu", "device gpu: no GPU can be used"),
    "home": ("ANALYTICS_HOME", "labels.yaml", "ANALYTICS_HOME: "),
    "folder in a file": ("ANALYTICS_HOME", "labels.yaml/home", "ANALYTICS_HOME: "),
    "lake": ("ANALYTICS_LAKE_URI", "labels.yaml", "ANALYTICS_LAKE_URI: "),
    "dbt project": ("ANALYTICS_DBT_PROJECT_DIR", "nowhere", "ANALYTICS_DBT_PROJECT_DIR: "),
    "address of MongoDB": ("ANALYTICS_MONGO_URI", "mongodb://host:99999999/", "ANALYTICS_MONGO_URI: "),
    "mapping": ("ANALYTICS_SOURCE_MAPPING", "labels.yaml", "ANALYTICS_SOURCE_MAPPING: "),
    "end": ("ANALYTICS_END_DATE", "2001-01-01", "ANALYTICS_START_DATE: 2006-05-15 is after the last day"),
}
"""Setting, wrong value (a path below the test's folder or a word), and what is told of it."""
EVERY_RUN = ["run", "redrive", "repair", "train", "demo", "doctor", "dev"]
NO_INTENTS = "topics:\n  - {label: a, description: d, examples: [e]}\n"


@pytest.fixture
def wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Sets a setting to a wrong value, and returns how the sentence about it begins."""
    (tmp_path / "labels.yaml").write_text(NO_INTENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("the web server was started"))

    def set_wrong(name: str) -> str:
        variable, value, told = WRONG[name]
        monkeypatch.setenv(variable, str(tmp_path / value) if variable == "ANALYTICS_TAXONOMY" else value)
        return f"{tmp_path}/{told}" if told.startswith("labels") else told

    return set_wrong


@pytest.mark.parametrize("setting", WRONG)
@pytest.mark.parametrize("command", EVERY_RUN)
def test_wrong_setting_is_refused_alike_by_every_command_before_any_work(
    wrong, tmp_path, monkeypatch, capsys, command, setting
):
    """``doctor`` exited with 1 or called it well; ``run`` failed in mid-work without a GPU or with a file as lake."""
    told = wrong(setting)
    assert refused(monkeypatch, capsys, command).startswith(told)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (["status"], "home"),
        (["status"], "lake"),
        (["status"], "dbt project"),
        (["prepare"], "home"),
        (["similar", "c1"], "lake"),
        (["similar", "--text", "hello"], "lake"),
        (["reveal", "c1"], "end"),
    ],
)
def test_wrong_place_is_refused_by_commands_that_need_no_other_input(wrong, monkeypatch, capsys, command, setting):
    """``status`` told of no rows, and ``similar`` of no vectors, where a file stood in the lake's place."""
    told = wrong(setting)
    assert refused(monkeypatch, capsys, *command).startswith(told)


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "--train", "none.parquet", "--test", "none.parquet"),
        ("evaluate", "--train", "a\nb", "--test", "a\nb"),
        ("evaluate", "--train", ".", "--test", "."),
        ("similar", "c", "--from", "a\nb"),
        ("reveal", "c", "--date", "a\nb"),
        ("run", "--to", "a\nb\x1b[31m"),
        ("dev", "--host", "no such host"),
        ("dev", "--host", "a\nb"),
    ],
)
def test_wrong_argument_is_refused_in_one_line(wrong, tmp_path, monkeypatch, capsys, arguments):
    """A line end in a file name or day broke the line, and a web server was started on a host that does not exist."""
    (tmp_path / "a\nb").write_text("no Parquet")
    line = refused(monkeypatch, capsys, *arguments)
    assert "\x1b" not in line
    assert "\\n" in line or "\n" not in "".join(arguments)


def test_web_server_is_refused_a_port_in_use(wrong, monkeypatch, capsys):
    """Dagster told of it in a trace, after seconds, and the command had said that the UI is there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert refused(monkeypatch, capsys, "dev", "--port", str(port)).startswith(f"--host 127.0.0.1 --port {port}: ")


def test_source_files_that_may_still_come_keep_no_web_server_from_starting(wrong, monkeypatch):
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", "chats/*.csv")
    with closing(Platform(load_settings(), stages=False)) as platform:
        require_inputs(platform, source_files=False)
        with pytest.raises(UserError, match="matches no file"):
            require_inputs(platform)


def test_each_mistake_of_a_file_with_a_line_end_in_its_name_is_one_line(wrong, tmp_path, monkeypatch, capsys):
    """The name broke every line, so that half of each named no file."""
    file = tmp_path / "a\nb\x9b.yaml"
    file.write_text("topics:\n  - label: Not Snake\n    description: d\n    examples: [e]\n")
    monkeypatch.setenv("ANALYTICS_TAXONOMY", str(file))
    monkeypatch.setattr(sys, "argv", ["analytics", "run"])
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{tmp_path}/a\\nb\\x9b.yaml:").partition(":")[0] for line in lines] == ["2", "1"]


def test_warning_and_failure_with_a_line_end_in_what_people_wrote_are_one_line_each(capsys):
    print_troubles(["a\nb"], [str(UserError("c\nd", "e"))])
    assert capsys.readouterr().err.splitlines() == ["warning: a\\nb", "failed: c\\nd", "failed: e"]


@pytest.mark.parametrize("arguments", [["similar", "c1"], ["reveal", "c1"]])
def test_commands_that_only_read_the_lake_ask_for_no_other_input(wrong_taxonomy, monkeypatch, capsys, arguments):
    monkeypatch.setenv("ANALYTICS_PII_SPANS_KEY", "k" * 32)
    assert str(wrong_taxonomy) not in refused(monkeypatch, capsys, *arguments)


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the line with which a command is refused."""
    monkeypatch.setattr(sys, "argv", ["analytics", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_doctor_names_file_and_line_of_a_wrong_taxonomy(wrong_taxonomy):
    line = next(line for line in examine(load_settings()) if line.what == "inputs")
    assert not line.ok
    assert f"{wrong_taxonomy}:2: " in line.says


@given(st.text(st.one_of(st.characters(), st.sampled_from(HOSTILE))))
def test_terminal_gets_no_control_or_direction_character_of_any_text(text):
    printed = without_controls(text)
    assert not {one for one in printed if unicodedata.category(one) in {"Cc", "Zl", "Zp"}} - {"\t", "\n"}
    assert not {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} & {
        *map(unicodedata.bidirectional, printed)
    }


def test_emoji_joined_by_zero_width_joiners_and_arabic_stay_whole():
    text = "\U0001f468\u200d\U0001f469 \u0645\u0631\u062d\u0628\u0627"
    assert without_controls(text) == text
