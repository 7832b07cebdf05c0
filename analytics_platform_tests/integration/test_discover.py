"""The command `analytics discover`, on files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.cli.app import main

pytestmark = pytest.mark.integration

SUBJECTS = {
    "parcel": ["my parcel has not arrived", "where is the parcel", "the parcel is late", "track my parcel"],
    "password": ["I forgot my password", "reset my password", "my password does not work", "change the password"],
    "invoice": ["send me the invoice", "the invoice is wrong", "where is my invoice", "I need an invoice copy"],
}
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["analytics", "discover", *arguments])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def texts() -> list[str]:
    openings = ("please", "hello", "hi there", "sorry", "well", "so", "good morning", "now", "then", "thanks")
    return [f"{opening} {phrase}" for phrases in SUBJECTS.values() for phrase in phrases for opening in openings]


def write(path: Path, column: list[object], name: str = "text") -> str:
    pq.write_table(pa.table({name: column}), path)
    return str(path)


def test_rows_get_topics_and_figures_are_printed(command: Command, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.parquet", texts())

    code, out, _ = command("--texts", source, "--out", "new/folder/out.parquet", "--tier", "static", "--json")

    figures = orjson.loads(out)
    table = pq.read_table(tmp_path / "new" / "folder" / "out.parquet")
    assert code == 0
    assert {"topics", "parents", "outlier_share", "seconds", "peak_mb"} <= set(figures)
    assert table.column_names == ["row", "topic_id", "parent_id", "name", "confidence"]
    assert table["row"].to_pylist() == list(range(len(texts())))
    assert len(set(table["topic_id"].drop_null().to_pylist())) == figures["topics"] >= len(SUBJECTS)
    assert table["topic_id"].null_count == round(figures["outlier_share"] * len(table))


def test_an_earlier_result_is_continued(command: Command, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.parquet", texts())
    later = write(tmp_path / "later.parquet", [*reversed(texts()), "hello where is my parcel now"])
    command("--texts", source, "--out", "first.parquet", "--tier", "static")

    code, _, _ = command("--texts", later, "--out", "second.parquet", "--previous", "first.parquet")

    first = pq.read_table(tmp_path / "first.parquet")["topic_id"].to_pylist()
    second = pq.read_table(tmp_path / "second.parquet")["topic_id"].to_pylist()
    assert code == 0
    assert second[: len(first)] == first[::-1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--texts", "none.parquet"], "no such file"),
        (["--texts", "broken.parquet"], "cannot be read as Parquet"),
        (["--texts", "other.parquet"], "lacks the column text; it has words"),
        (["--texts", "empty.parquet"], "has no rows"),
        (["--texts", "texts.parquet", "--tier", "llm"], "tier 'llm' cannot discover topics"),
        (["--texts", "texts.parquet", "--previous", "texts.parquet"], "has no topics in its metadata"),
        (["--texts", "texts.parquet", "--out", "."], "cannot be written"),
        (["--texts", "texts.parquet", "--out", "./texts.parquet"], "is the file of the texts"),
    ],
)
def test_a_wrong_file_is_one_clear_line(command: Command, tmp_path: Path, arguments: list[str], told: str) -> None:
    write(tmp_path / "texts.parquet", ["hello"])
    write(tmp_path / "other.parquet", ["hello"], "words")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    static = [] if "--tier" in arguments else ["--tier", "static"]
    out = [] if "--out" in arguments else ["--out", "out.parquet"]

    code, _, err = command(*arguments, *static, *out)

    lines = err.strip().splitlines()
    assert code == 2
    assert told in lines[-1]
    assert "Traceback" not in err
    assert not (tmp_path / "out.parquet").exists()


def test_topics_of_another_encoder_name_the_file(command: Command, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.parquet", texts())
    command("--texts", source, "--out", "first.parquet", "--tier", "static")

    code, _, err = command(
        "--texts", source, "--out", "o.parquet", "--previous", "first.parquet", "--tier", "transformer"
    )

    assert code == 2
    assert "first.parquet: the earlier topics are of the encoder multilingual-static" in err
