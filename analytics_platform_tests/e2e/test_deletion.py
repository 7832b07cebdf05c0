"""A conversation that is deleted at the source: after the next run no file of the home holds a word or id of it."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

NEEDLE = "zanzibarquux"
BY_DESIGN = {"mongo/data"}
"""Folders whose files keep bytes of what was removed; docs/privacy.md says so, and how to empty them."""


def write_chats(path: Path, *, with_needle: bool, conversations: int = 60) -> None:
    rows = ["conversation_id,message_id,user_id,agent_id,role,text,timestamp,channel"]
    for number in range(conversations):
        day = f"2024-01-0{number % 3 + 1}"
        rows.append(f"c{number},m{number}a,u{number},a1,user,how do I print page {number},{day}T10:00:00Z,chat")
        rows.append(f"c{number},m{number}b,u{number},a1,agent,please try cable {number},{day}T10:05:00Z,chat")
    if with_needle:
        rows.append(f"gone,g1,user-{NEEDLE},a1,user,my word is {NEEDLE},2024-01-03T11:00:00Z,chat")
        rows.append(f"gone,g2,user-{NEEDLE},a1,agent,{NEEDLE} is noted,2024-01-03T11:05:00Z,chat")
        rows.append(f"gone,g3,user-{NEEDLE},a1,nobody,{NEEDLE} in quarantine,2024-01-03T11:06:00Z,chat")
    path.write_text("\n".join(rows) + "\n")


def found(home: Path) -> set[str]:
    """Return the files of a home that hold the needle: as raw bytes, or in a value of a Parquet or DuckDB file."""
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and _holds_needle(path)}


def _holds_needle(path: Path) -> bool:
    if NEEDLE.encode() in path.read_bytes():
        return True
    if path.suffix == ".parquet":
        return NEEDLE in str(pq.ParquetFile(path).read().to_pylist())
    if path.suffix == ".duckdb":
        with duckdb.connect(path, read_only=True) as connection:
            names = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
            return any(NEEDLE in str(connection.table(name).fetchall()) for name in names)
    return False


def beside_the_design(files: set[str]) -> set[str]:
    return {name for name in files if not any(name.startswith(folder) for folder in BY_DESIGN)}


def variables(chats: Path) -> dict[str, str]:
    return {
        "ANALYTICS_SOURCE": "files",
        "ANALYTICS_SOURCE_PATH": str(chats),
        "ANALYTICS_START_DATE": "2024-01-01",
        "ANALYTICS_END_DATE": "2024-12-31",
    }


def test_after_a_deletion_and_a_run_no_file_holds_the_words_and_the_home_is_private(analytics, tmp_path):
    """The staging of the files as they were kept raw texts and ids until the source had changed twice more."""
    home, chats = tmp_path / "home", tmp_path / "chats.csv"
    write_chats(chats, with_needle=True)
    assert analytics(home, "run", **variables(chats)).code == 0
    before = beside_the_design(found(home))
    assert {name.partition("/")[0] for name in before} >= {"lake", "staging", "warehouse.duckdb"}
    assert [str(path) for path in (home, *home.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077] == []

    write_chats(chats, with_needle=False)
    waiting = analytics(home, "status", "--json", **variables(chats))
    assert waiting.code == 0, waiting.err
    assert not waiting.json()["source"]["complete"]
    assert beside_the_design(found(home)) == before, "`status` stages and removes nothing"
    assert analytics(home, "run", **variables(chats)).code == 0

    assert beside_the_design(found(home)) == set()


def test_a_run_that_is_killed_after_staging_leaves_its_staging_to_the_next_run(begin, analytics, tmp_path):
    """What a killed run held was in nobody's hands, and stayed."""
    home, chats = tmp_path / "home", tmp_path / "chats.csv"
    write_chats(chats, with_needle=True, conversations=3000)
    killed = begin(home, "run", **variables(chats))
    deadline = time.monotonic() + 120
    while not list(home.glob("staging/files/[!.]*/manifest.json")):
        assert killed.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.kill()
    killed.join()
    assert any(name.startswith("staging/") for name in found(home))

    write_chats(chats, with_needle=False)
    finished = analytics(home, "run", **variables(chats))

    assert finished.code == 0, finished.err
    assert len(list(home.glob("staging/files/*/manifest.json"))) == 1
    assert beside_the_design(found(home)) == set()
