"""A mirror brought up to date row by row is the mirror that the same rows give from nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.mirroring.mirror import CONVERSATIONS, MESSAGES, Mirror, OpenMirror
from analytics_platform.sources.nocodb.noco_tables.records import to_rows
from analytics_platform.sources.nocodb.source import NocoSource, NocoTables
from analytics_platform.sources.published_days import read_day, unplaced_rows
from analytics_platform_tests.sizes import by_day_or_night

MAPPING = FieldMapping(conversations={"user_id": "customer"})
DAY = "2024-01-{:02d}T10:00:00Z"

Change = Callable[[OpenMirror], Any]


def mirror_in(folder: Path, first: int = 1, last: int = 31) -> Mirror:
    return Mirror(
        folder,
        MAPPING,
        name="nocodb",
        labels=("messages", "conversations"),
        first_day=dt.date(2024, 1, first),
        last_day=dt.date(2024, 1, last),
    )


def put(mirror: OpenMirror, table: int, *records: dict[str, Any]) -> int:
    found = [{"CreatedAt": "2024-02-01 00:00:00+00:00", "UpdatedAt": None, **record} for record in records]
    rows = to_rows(found, table, MAPPING, "messages" if table == MESSAGES else "conversations")
    return mirror.put(
        table,
        rows,
        pa.array([record.get("UpdatedAt") or record.get("CreatedAt") for record in found], pa.string()),
        {"complete": True},
    )


def message(number: int, conversation: str | None = "c1", day: int = 5, **fields: Any) -> dict[str, Any]:
    given = {"conversation_id": conversation, "message_id": f"m{number}", "role": "user", "text": f"text {number}"}
    return {"Id": number, **given, "timestamp": DAY.format(day), **fields}


def change(mirror: Mirror, *changes: Change) -> None:
    with mirror.opened() as opened:
        for one in changes:
            one(opened)


def content(mirror: Mirror) -> dict[str, Any]:
    days = mirror.manifest()
    found = {}
    for day, staged in days.items():
        rows = read_day(mirror.folder, days, day)
        assert rows.rows_read == rows.messages.num_rows + rows.duplicates + rows.quarantined.num_rows
        found[day] = (staged.version, staged.rows_read, staged.duplicates, rows.messages, rows.quarantined)
    return found


def test_a_conversation_that_starts_earlier_restates_the_day_it_leaves_and_the_one_it_enters(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1, day=5), message(2, "c2", day=9)))
    before = mirror.manifest()
    change(mirror, lambda m: put(m, MESSAGES, message(3, day=3)))
    after = mirror.manifest()

    assert list(before) == ["2024-01-05", "2024-01-09"]
    assert list(after) == ["2024-01-03", "2024-01-09"]
    assert after["2024-01-09"] == before["2024-01-09"]
    assert read_day(mirror.folder, after, "2024-01-03").messages["message_id"].to_pylist() == ["m3", "m1"]


def test_messages_with_one_time_per_ticket_are_told_as_those_of_a_file(tmp_path):
    """A table whose messages have the time of their ticket gave response times of zero; a file had none."""
    mirror = mirror_in(tmp_path)
    pair = [message(1, day=5), message(2, day=5, role="agent")]
    change(mirror, lambda m: put(m, MESSAGES, *pair, message(3, "c2", 9), message(4, "c2", 9, role="agent")))
    shared = {day: rows[3]["time_source"].to_pylist() for day, rows in content(mirror).items()}
    later = message(5, "c2", role="agent", timestamp="2024-01-09T11:00:00Z")
    change(mirror, lambda m: put(m, MESSAGES, later))
    single = {day: rows[3]["time_source"].to_pylist() for day, rows in content(mirror).items()}

    assert shared == {"2024-01-05": ["conversation"] * 2, "2024-01-09": ["conversation"] * 2}
    assert single == {"2024-01-05": ["message"] * 2, "2024-01-09": ["message"] * 3}


def test_a_row_that_comes_again_as_it_was_publishes_nothing(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1)))
    before = (tmp_path / "manifest.json").stat().st_mtime_ns
    with mirror.opened() as opened:
        assert put(opened, MESSAGES, message(1)) == 0
    assert (tmp_path / "manifest.json").stat().st_mtime_ns == before


def test_what_the_conversations_table_states_reaches_messages_that_came_before_it(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1), message(2, user_id="stated")))
    change(mirror, lambda m: put(m, CONVERSATIONS, {"Id": 1, "conversation_id": "c1", "customer": "ann", "rating": 4}))

    rows = read_day(tmp_path, mirror.manifest(), "2024-01-05").messages
    assert rows["user_id"].to_pylist() == ["ann", "stated"]
    assert rows["rating"].to_pylist() == [4.0, 4.0]


def test_a_second_row_for_a_conversation_is_quarantined_and_counted(tmp_path):
    mirror = mirror_in(tmp_path)
    change(
        mirror,
        lambda m: put(m, MESSAGES, message(1)),
        lambda m: put(m, CONVERSATIONS, *({"Id": n, "conversation_id": "c1", "customer": f"u{n}"} for n in (1, 2))),
    )
    rows = read_day(tmp_path, mirror.manifest(), "2024-01-05")
    assert rows.quarantined["reason"].to_pylist() == ["conflicting_duplicate"]
    assert rows.quarantined["source_file"].to_pylist() == ["conversations"]
    assert rows.messages["user_id"].to_pylist() == ["u1"]
    assert rows.rows_read == 2


@pytest.mark.parametrize(
    ("stated", "name"),
    [
        ({"outcome": "x" * 513}, "outcome"),
        ({"customer": "x" * 513}, "user_id"),
        ({"rating": 1e300}, "rating"),
        ({"rating": "so so"}, "rating"),
    ],
)
def test_what_no_message_may_state_no_row_of_a_conversation_may_state(tmp_path, stated, name):
    """A rating of 1e300 overflowed the means of days and users, and a text of any length went to every message."""
    mirror = mirror_in(tmp_path)
    row = {"Id": 1, "conversation_id": "c1", "channel": "mail", **stated}
    change(mirror, lambda m: put(m, MESSAGES, message(1)), lambda m: put(m, CONVERSATIONS, row))
    rows = read_day(tmp_path, mirror.manifest(), "2024-01-05")
    assert rows.quarantined.num_rows == 0
    assert rows.messages.select(["user_id", "outcome", "rating", "channel"]).to_pylist() == [
        {"user_id": None, "outcome": None, "rating": None, "channel": "mail"}
    ]
    assert [(repair.column, repair.rows) for repair in mirror.summary().repairs] == [(name, 1)]


def test_a_blank_that_a_conversations_row_states_is_nothing_stated(tmp_path):
    """A blank user became a customer of that name, and one person's messages belonged to two."""
    mirror = mirror_in(tmp_path)
    change(
        mirror,
        lambda m: put(m, MESSAGES, message(1)),
        lambda m: put(m, CONVERSATIONS, {"Id": 1, "conversation_id": "c1", "customer": " ", "outcome": "\u200b"}),
    )
    rows = read_day(tmp_path, mirror.manifest(), "2024-01-05").messages
    assert (rows["user_id"].to_pylist(), rows["outcome"].to_pylist()) == ([None], [None])


def test_a_conversation_of_tomorrow_is_quarantined_until_tomorrow(tmp_path):
    change(mirror_in(tmp_path, last=8), lambda m: put(m, MESSAGES, message(1, day=5), message(2, "c2", day=9)))
    today = content(mirror_in(tmp_path, last=8))
    waiting = unplaced_rows(tmp_path, mirror_in(tmp_path, last=8).manifest()).read_quarantined()
    change(mirror_in(tmp_path, last=9))
    tomorrow = content(mirror_in(tmp_path, last=9))

    assert today["2024-01-05"][4].num_rows == 0
    assert waiting["reason"].to_pylist() == ["outside_partitions"]
    assert list(tomorrow) == ["2024-01-05", "2024-01-09"]
    assert tomorrow["2024-01-05"][4].num_rows == 0


def test_a_day_that_loses_its_last_row_is_no_longer_named(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1), message(2, "c2", day=9)))
    change(mirror, lambda m: m.delete(MESSAGES, np.array([2])))
    assert list(mirror.manifest()) == ["2024-01-05"]


def test_nothing_is_published_before_all_is_pulled(tmp_path):
    mirror = mirror_in(tmp_path)
    with mirror.opened() as opened:
        rows = to_rows([message(1)], MESSAGES, MAPPING, "messages")
        opened.put(MESSAGES, rows, pa.array(["x"]), {})
    assert mirror.manifest() == {}


def test_a_mirror_that_dies_between_its_rows_and_its_days_publishes_them_the_next_time(tmp_path, monkeypatch):
    mirror = mirror_in(tmp_path)
    monkeypatch.setattr(Mirror, "_publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        change(mirror, lambda m: put(m, MESSAGES, message(1)))
    monkeypatch.undo()
    change(mirror)
    assert list(mirror.manifest()) == ["2024-01-05"]


def test_a_repeated_message_that_can_no_longer_be_used_is_quarantined_for_that_alone(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1), message(2, message_id="m1", text="other")))
    change(mirror, lambda m: put(m, MESSAGES, message(2, None, message_id="m1", text="other")))
    rows = unplaced_rows(tmp_path, mirror.manifest())
    assert rows.read_quarantined()["reason"].to_pylist() == ["missing_conversation_id"]
    assert (rows.rows_read, read_day(tmp_path, mirror.manifest(), "2024-01-05").rows_read) == (1, 1)


NEEDLE = "zanzibarquux"


def found_below(folder: Path, needle: str) -> list[str]:
    """Return the files below a folder that hold a word: as raw bytes, or in a value of a Parquet file."""

    def holds(path: Path) -> bool:
        if path.suffix == ".parquet" and needle in str(pq.read_table(path).to_pylist()):
            return True
        return needle.encode() in path.read_bytes()

    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and holds(path))


def source_in(folder: Path, messages: str = "m") -> NocoSource:
    """Return a source that is never asked to pull; its mirror is changed by hand."""

    def no_client() -> Any:
        raise AssertionError("the server must not be asked")

    return NocoSource(
        no_client,
        NocoTables(messages),
        url="http://noco.example",
        staging_dir=folder,
        first_day=dt.date(2024, 1, 1),
        last_day=dt.date(2024, 1, 31),
    )


def rows_with(needle: str, others: int = 3000) -> list[dict[str, Any]]:
    """Return messages of which one has a word, in more than one of the database's blocks."""
    texts = (hashlib.sha256(str(n).encode()).hexdigest() * 4 for n in range(others))
    rows = [message(n + 2, f"c{n}", day=n % 20 + 1, text=text) for n, text in enumerate(texts)]
    return [message(1, "gone", text=f"my word is {needle}", user_id=f"user-{needle}"), *rows]


@pytest.mark.slow  # mirrors 3,000 rows twice
@pytest.mark.parametrize("how", ["deleted", "edited"])
def test_a_text_that_the_server_no_longer_has_is_in_no_file_of_the_mirror(tmp_path, how):
    """DuckDB leaves the bytes of deleted rows in its file, and files of replaced days stayed beside current ones."""
    source = source_in(tmp_path)
    with source._opened(rewrite=True) as mirror:
        put(mirror, MESSAGES, *rows_with(NEEDLE))
    assert len(found_below(tmp_path, NEEDLE)) >= 2

    with source._opened(rewrite=True) as mirror:
        if how == "deleted":
            mirror.delete(MESSAGES, np.array([1]))
        else:
            put(mirror, MESSAGES, message(1, "gone", text="nothing", user_id="nobody"))

    assert found_below(tmp_path, NEEDLE) == []
    with source._opened(rewrite=False) as mirror:
        assert mirror.count(MESSAGES) == (3000 if how == "deleted" else 3001)
        assert put(mirror, MESSAGES, *rows_with(NEEDLE)) == 1, "all other rows are as they were"


def test_a_run_reads_the_days_as_it_found_them_while_others_are_published(tmp_path):
    """A file that goes while a run reads its day would make the day empty."""
    running, other = source_in(tmp_path), source_in(tmp_path)
    with other._opened(rewrite=True) as mirror:
        put(mirror, MESSAGES, message(1, text=NEEDLE))
    with running.held():
        before = running.days()
        with other._opened(rewrite=True) as mirror:
            put(mirror, MESSAGES, message(1, text="something else"))
        assert running.read_day("2024-01-05").messages["text"].to_pylist() == [NEEDLE]
        assert running.days() == before != other.days()
        assert found_below(tmp_path, NEEDLE)
    assert running.read_day("2024-01-05").messages["text"].to_pylist() == ["something else"]
    assert found_below(tmp_path, NEEDLE) == []


def test_what_a_killed_writer_left_beside_the_mirror_is_removed(tmp_path):
    source = source_in(tmp_path)
    with source._opened(rewrite=True) as mirror:
        put(mirror, MESSAGES, message(1))
    folder = source._mirror.folder
    for name in ("spill/duckdb_temp_storage_DEFAULT-0.tmp", "rewritten.duckdb", "days/abc/raw_messages/x.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(NEEDLE.encode())

    with source._opened(rewrite=False):
        pass

    assert not [path for path in folder.rglob("*") if path.is_file() and NEEDLE.encode() in path.read_bytes()]


def test_the_mirror_of_other_tables_goes_when_this_one_is_complete(tmp_path, monkeypatch):
    old, new = source_in(tmp_path, "old"), source_in(tmp_path, "new")
    with old._opened(rewrite=True) as mirror:
        put(mirror, MESSAGES, message(1, text=NEEDLE))
    monkeypatch.setattr(NocoSource, "_pull", lambda _self, mirror, *_: put(mirror, MESSAGES, message(2)) >= 0)
    with old.held():
        old.days()
        new.refresh()
        assert old._mirror.folder.exists()
    new.refresh()
    assert not old._mirror.folder.exists()
    assert list(new.days()) == ["2024-01-05"]


def test_asking_how_far_the_mirror_is_writes_nothing(tmp_path):
    """`analytics status` opened the mirror for writing, and made one where there was none."""
    source = source_in(tmp_path)
    assert not source.status().complete
    assert list(tmp_path.iterdir()) == []
    with source._opened(rewrite=True) as mirror:
        put(mirror, MESSAGES, message(1))
    database = source._mirror.folder / "rows.duckdb"
    before = database.stat().st_mtime_ns
    assert source.status().rows == 1
    assert database.stat().st_mtime_ns == before


def test_days_whose_files_were_removed_by_hand_are_an_error_and_not_empty(tmp_path):
    change(mirror_in(tmp_path), lambda m: put(m, MESSAGES, message(1)))
    for path in tmp_path.rglob("*.parquet"):
        path.unlink()
    with pytest.raises(SourceError, match="2024-01-05 has 1 row, and its files hold 0"):
        read_day(tmp_path, mirror_in(tmp_path).manifest(), "2024-01-05")


def test_a_lone_surrogate_ends_in_quarantine(tmp_path):
    mirror = mirror_in(tmp_path)
    change(mirror, lambda m: put(m, MESSAGES, message(1), message(2, text=json.loads('"\\ud800"'))))
    assert read_day(tmp_path, mirror.manifest(), "2024-01-05").quarantined["reason"].to_pylist() == ["invalid_utf8"]


RECORDS = st.fixed_dictionaries(
    {
        "Id": st.integers(1, 6),
        "conversation_id": st.sampled_from(["c1", "c2", "c3", None]),
        "message_id": st.sampled_from(["m1", "m2", "m3", "m4", None]),
        "role": st.sampled_from(["user", "assistant", "nobody"]),
        "text": st.sampled_from(["a", "b"]),
        "timestamp": st.sampled_from([DAY.format(day) for day in (1, 4, 6, 9)] + ["bad"]),
    }
)
STATEMENTS = st.fixed_dictionaries(
    {
        "Id": st.integers(1, 3),
        "conversation_id": st.sampled_from(["c1", "c2", None]),
        "customer": st.sampled_from(["ann", "bob", None]),
        "rating": st.sampled_from(["4", "bad", None]),
    }
)


def some(rows: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(rows, min_size=1, max_size=3, unique_by=lambda row: row["Id"])


CHANGES = st.one_of(
    st.tuples(st.just("put"), st.just(MESSAGES), some(RECORDS)),
    st.tuples(
        st.just("put"),
        st.just(CONVERSATIONS),
        st.lists(STATEMENTS, min_size=1, max_size=2, unique_by=lambda r: r["Id"]),
    ),
    st.tuples(st.just("delete"), st.sampled_from([MESSAGES, CONVERSATIONS]), st.integers(1, 6)),
    st.tuples(st.just("last_day"), st.just(0), st.integers(5, 9)),
)


@pytest.mark.slow
@settings(max_examples=by_day_or_night(12, 120))
@given(st.lists(st.lists(CHANGES, max_size=3), min_size=1, max_size=4))
def test_any_sequence_of_changes_gives_what_the_rows_give_from_nothing(tmp_path_factory, sessions):
    folder = tmp_path_factory.mktemp("mirror")
    held: dict[int, dict[int, dict[str, Any]]] = {MESSAGES: {}, CONVERSATIONS: {}}
    last = 9
    for session in sessions:
        last = next((value for kind, _, value in reversed(session) if kind == "last_day"), last)
        with mirror_in(folder / "step", 2, last).opened() as opened:
            opened.remember({"complete": True})
            for kind, table, value in session:
                if kind == "put":
                    put(opened, table, *value)
                    held[table] |= {record["Id"]: record for record in value}
                elif kind == "delete":
                    opened.delete(table, np.array([value]))
                    held[table].pop(value, None)
    with mirror_in(folder / "whole", 2, last).opened() as opened:
        opened.remember({"complete": True})
        for table, records in held.items():
            if records:
                put(opened, table, *records.values())

    assert content(mirror_in(folder / "step", 2, last)) == content(mirror_in(folder / "whole", 2, last))


@pytest.mark.parametrize("count", [3, 5, 8])
def test_each_row_keeps_the_time_of_its_own_last_change(tmp_path, count):
    """Times were paired with rows in another order: reconciliation read unchanged rows, and could miss changed ones."""
    roles = ["user", "agent", "agent", "bot"] * 2
    rows = [message(n, role=roles[n - 1], UpdatedAt=f"time of {n}") for n in range(1, count + 1)]
    with mirror_in(tmp_path).opened() as opened:
        put(opened, MESSAGES, *rows)
        ids, stamps = opened.stamps(MESSAGES)
    assert stamps.to_pylist() == [f"time of {number}" for number in ids]


def test_the_first_failure_gives_all_days_their_outcomes_back(tmp_path: Path) -> None:
    """Days that were published before the source stated a failure would stay closings for ever."""
    mirror = mirror_in(tmp_path)

    def ranges() -> set[str | None]:
        return {value for found in content(mirror).values() for value in found[3]["outcome_range"].to_pylist()}

    change(mirror, lambda opened: put(opened, MESSAGES, message(1, outcome="solved")))
    assert ranges() == {"closings"}
    change(mirror, lambda opened: put(opened, MESSAGES, message(2, "c2", 6, outcome="unresolved")))
    assert ranges() == {"both"}
