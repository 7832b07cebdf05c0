"""The lake on local disk; the same on a real S3 server is in integration."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import threading
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.model import find_violations
from analytics_platform.model.tables.insight_tables import CONVERSATION_INSIGHTS, MESSAGE_EMBEDDINGS
from analytics_platform.storage.lake import DamagedPartitionError, Lake, LakeError
from analytics_platform.storage.lake.written_tables import WrittenTables
from analytics_platform.storage.partitions import stored_keys
from analytics_platform.system.file_stamps import Stamp
from analytics_platform_tests.insight_rows import insight_row
from analytics_platform_tests.rights import usual_rights

DAY = "2006-05-15"


@pytest.fixture
def lake(tmp_path):
    return Lake.open(str(tmp_path))


def numbers(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64()), "square": pa.array([v * v for v in values], pa.int64())})


def test_what_is_written_is_read_back_with_its_facts(lake, tmp_path):
    written = lake.write("numbers", DAY, numbers(1, 2), "print", {"rows_read": "3"})
    assert (tmp_path / "numbers" / f"date={DAY}" / "data.parquet").stat().st_size == written.bytes
    assert lake.info("numbers", DAY) == written
    assert (written.rows, written.provenance, written.annotations) == (2, "print", {"rows_read": "3"})
    for reader in (lake, Lake.open(str(tmp_path))):  # from memory, and from the file
        assert reader.read("numbers", DAY) == numbers(1, 2)
        assert reader.read("numbers", DAY, ["square"]).column_names == ["square"]
        assert reader.read("numbers", DAY, ["square", "n"]).column_names == ["square", "n"]


def test_a_file_that_another_program_replaced_is_read_instead_of_what_was_written(lake, tmp_path):
    lake.write("numbers", DAY, numbers(1), "")
    Lake.open(str(tmp_path)).write("numbers", DAY, numbers(2), "")
    assert lake.read("numbers", DAY) == numbers(2)


def test_only_so_much_is_kept_in_memory_and_the_oldest_goes_first():
    stamp, table = Stamp(1, 1), numbers(1)
    kept = WrittenTables(2 * table.nbytes)
    for path in ("first", "second", "second", "third"):
        kept.keep(path, stamp, table)
    assert [kept.get(path, stamp, None) is table for path in ("first", "second", "third")] == [False, True, True]
    kept.keep("large", stamp, numbers(1, 2, 3))  # larger than all that may be kept
    assert kept.get("large", stamp, None) is None
    assert kept.get("third", stamp, None) is table
    assert kept.get("third", Stamp(1, 2), None) is None  # of a file that was written later


def test_a_file_of_an_earlier_version_keeps_its_provenance(lake, tmp_path):
    """Under another name in the footer, every stored day would be computed again."""
    written = lake.write("numbers", DAY, numbers(1), "print")
    path = tmp_path / "numbers" / f"date={DAY}" / "data.parquet"
    footer = orjson.loads(pq.read_metadata(path).metadata[b"analytics_platform"])
    assert footer == {
        "table": "numbers", "key": DAY, "content_hash": written.content_hash, "fingerprint": "print",
        "annotations": {},
    }  # fmt: skip


def test_days_are_listed_in_order_and_an_empty_day_is_a_day(lake):
    lake.write("numbers", "2006-05-16", numbers(), "")
    lake.write("numbers", DAY, numbers(1), "")
    lake.write("totals", "", numbers(1), "")
    assert lake.keys("numbers") == [DAY, "2006-05-16"]
    assert lake.keys("totals") == [""]
    assert lake.keys("nothing") == []
    assert lake.read("numbers", "2006-05-16").num_rows == 0


def test_a_folder_without_a_file_is_no_partition(lake, tmp_path):
    lake.write("numbers", DAY, numbers(1), "")
    (tmp_path / "numbers" / "date=2006-05-16").mkdir()
    (tmp_path / "numbers" / "note.txt").write_text("mine")
    assert lake.keys("numbers") == [DAY]


def test_few_partitions_are_looked_up_without_listing_the_table(lake, tmp_path, monkeypatch):
    """A run of one day listed ten years of each table; a damaged day must stay a day that its check names."""
    lake.write("numbers", DAY, numbers(1), "")
    damaged = tmp_path / "numbers" / "date=2006-05-16" / "data.parquet"
    damaged.parent.mkdir()
    damaged.write_bytes(b"PAR1")
    wanted = ["2006-05-16", DAY, "2006-05-17"]
    for asked in (wanted, [*wanted, "2006-05-18"]):
        assert stored_keys(lake, "numbers", asked) == [DAY, "2006-05-16"]
    assert stored_keys(lake, "numbers", None) == [DAY, "2006-05-16"]
    monkeypatch.delattr(Lake, "keys")
    assert stored_keys(lake, "numbers", wanted) == [DAY, "2006-05-16"]


def test_a_file_or_folder_without_permission_is_not_called_damaged(lake, tmp_path):
    """The advice was to repair the file, which a user without the right to read it cannot do."""
    lake.write("numbers", DAY, numbers(1), "")
    path = tmp_path / "numbers" / f"date={DAY}" / "data.parquet"
    doings = {
        path: lambda: Lake.open(str(tmp_path)).read("numbers", DAY),
        path.parent: lambda: lake.write("numbers", DAY, numbers(2), ""),
        tmp_path / "numbers": lambda: lake.keys("numbers"),
    }
    for blocked, doing in doings.items():
        blocked.chmod(0)
        with usual_rights(), pytest.raises(LakeError) as refusal:
            doing()
        blocked.chmod(0o700)
        assert f"{blocked}: this user (" in str(refusal.value)
        assert "mode 000); chmod u+rw" in str(refusal.value)


def test_a_damaged_file_is_named_with_what_to_do(lake, tmp_path):
    lake.write("numbers", DAY, numbers(1), "")
    path = tmp_path / "numbers" / f"date={DAY}" / "data.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    for look in (lake.info, lake.read):
        with pytest.raises(LakeError, match=r"data\.parquet: damaged \(.*`analytics repair` computes it again$"):
            look("numbers", DAY)


def dated(day: str) -> pa.Table:
    return pa.table({"date": [dt.date.fromisoformat(day)] * 2, "n": [1, 2]})


def restore(tmp_path: Path, source: str, target: str) -> None:
    """Copy a file of the lake to another place, as a wrong restore does."""
    place = tmp_path / target / "data.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes((tmp_path / source / "data.parquet").read_bytes())


READINGS = [
    lambda lake, *place: lake.info(*place),
    lambda lake, *place: lake.read(*place),
    lambda lake, *place: lake.read(*place, ["n"]),
    lambda lake, *place: lake.read_verified(*place),
]


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("rows", ["some", "none"])
def test_a_file_in_the_place_of_another_day_or_table_is_damage(lake, tmp_path, read, rows):
    """Its content hash is right: only the place can tell, also of a file without rows."""
    for name in ("numbers", "others"):
        lake.write(name, "2006-05-16", dated("2006-05-16") if rows == "some" else dated(DAY).slice(0, 0), "")
    restore(tmp_path, "numbers/date=2006-05-16", f"numbers/date={DAY}")
    restore(tmp_path, "others/date=2006-05-16", "numbers/date=2006-05-16")
    with pytest.raises(DamagedPartitionError, match=f"date={DAY}.*it is the file of numbers 2006-05-16"):
        read(lake, "numbers", DAY)
    with pytest.raises(DamagedPartitionError, match=r"it is the file of others 2006-05-16\); `analytics repair`"):
        read(lake, "numbers", "2006-05-16")


@pytest.mark.parametrize("read", READINGS)
def test_a_misplaced_file_of_an_earlier_version_is_told_by_its_dates(lake, tmp_path, monkeypatch, read):
    """Files of earlier versions do not name their place in the footer."""
    monkeypatch.setattr("analytics_platform.storage.lake.parquet_lake.place", lambda *_: {})
    lake.write("numbers", "2006-05-16", dated("2006-05-16"), "")
    restore(tmp_path, "numbers/date=2006-05-16", f"numbers/date={DAY}")
    read(lake, "numbers", "2006-05-16")
    with pytest.raises(DamagedPartitionError, match=f"its rows are of 2006-05-16, not of {DAY}"):
        read(lake, "numbers", DAY)


def test_the_same_content_twice_gives_the_same_bytes(lake, tmp_path):
    path = tmp_path / "numbers" / f"date={DAY}" / "data.parquet"
    lake.write("numbers", DAY, numbers(1, 2), "print")
    first = path.read_bytes()
    lake.write("numbers", DAY, numbers(1, 2), "print")
    assert path.read_bytes() == first
    assert [entry.name for entry in path.parent.iterdir()] == ["data.parquet"]


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_a_part(lake, tmp_path):
    small, large = numbers(1), numbers(*range(50_000))
    lake.write("numbers", DAY, small, "")
    stop = threading.Event()
    seen: set[int] = set()
    elsewhere = Lake.open(str(tmp_path))  # reads the file, not what this process has just written

    def read() -> None:
        while not stop.is_set():
            seen.add(elsewhere.read("numbers", DAY).num_rows)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(15):
        lake.write("numbers", DAY, large, "")
        lake.write("numbers", DAY, small, "")
    stop.set()
    reader.join()
    assert seen == {1, 50_000}


def test_nested_types_come_back_as_declared(lake, tmp_path):
    insight = insight_row(
        date=dt.date(2006, 5, 15),
        conversation_id="c",
        topics=[{"label": "network", "confidence": 0.5}],
        reasons=[{"kind": "topic", "label": "network", "message_id": "m", "words": ["wifi"], "weight": 1.0}],
    )
    embedding = {
        "date": dt.date(2006, 5, 15), "conversation_id": "c", "message_id": "m", "embedding": [0.5] * 256,
        "encoder": "e",
    }  # fmt: skip
    for declared, row in ((CONVERSATION_INSIGHTS, insight), (MESSAGE_EMBEDDINGS, embedding)):
        lake.write(declared.name, DAY, declared.from_rows([row]), "")
        back = Lake.open(str(tmp_path)).read(declared.name, DAY)
        assert find_violations(declared, back) == []
        assert back.to_pylist() == declared.from_rows([row]).to_pylist()
        assert lake.read(declared.name, DAY).schema == back.schema


def test_a_partition_that_is_not_there_is_named(lake):
    assert lake.info("numbers", DAY) is None
    with pytest.raises(KeyError, match=f"numbers has no partition '{DAY}'"):
        lake.read("numbers", DAY)


def test_a_file_of_somebody_else_is_refused_by_name(lake, tmp_path):
    path = tmp_path / "numbers" / f"date={DAY}" / "data.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(numbers(1), path)
    with pytest.raises(LakeError, match="not written by this platform"):
        lake.info("numbers", DAY)


@pytest.mark.parametrize("uri", ["gs://bucket/x", "s3://", "s3:///"])
def test_another_kind_of_place_is_refused(uri):
    with pytest.raises(LakeError, match="ANALYTICS_LAKE_URI"):
        Lake.open(uri)


def test_credentials_are_in_no_repr():
    lake = Lake.open("s3://bucket/x", endpoint_url="http://127.0.0.1:1", access_key="the-key", secret_key="the-secret")
    assert "the-" not in repr(lake)


@pytest.fixture
def plant(tmp_path):
    """Plant a file below the lake that is some hours old."""

    def planted(path: str, hours: float):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half a table")
        moment = time.time() - hours * 3600
        os.utime(file, (moment, moment))
        return file

    return planted


STAGED = f".{'0a' * 16}.tmp"


def test_what_a_killed_writer_left_is_swept_once_it_is_old(lake, plant):
    lake.write("numbers", DAY, numbers(1), "")
    old = [plant(f"numbers/date={DAY}/{STAGED}", 7), plant(f"totals/{STAGED}", 7)]
    young = plant(f"numbers/date=2026-01-01/{STAGED}", 5)
    with young.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert lake.sweep({"numbers", "totals", "nothing"}) == 2
        assert not any(file.exists() for file in old)
        assert young.exists()
        assert lake.sweep({"numbers", "totals"}, dt.timedelta(hours=4)) == 1
    assert lake.read("numbers", DAY) == numbers(1)


def test_what_a_writer_left_that_has_ended_is_swept_before_it_is_old(lake, plant):
    """It may hold raw texts, and stayed for six hours."""
    ended, new = plant(f"numbers/date={DAY}/{STAGED}", 5), plant(f"totals/{STAGED}", 0)
    assert lake.sweep({"numbers", "totals"}) == 1
    assert (ended.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize(
    "path",
    [
        f"somebody/date={DAY}/{STAGED}",  # no table of ours
        f"numbers/date={DAY}/mine.tmp",
        f"numbers/date={DAY}/.{'0a' * 15}.tmp",
        f"numbers/date={DAY}/data.parquet",
        f"numbers/date={DAY}/deeper/{STAGED}",
        STAGED,
    ],
)
def test_a_sweep_touches_nothing_else_however_old(lake, plant, path):
    file = plant(path, 1000)
    assert lake.sweep({"numbers"}) == 0
    assert file.exists()


def test_a_sweep_follows_no_link_out_of_the_lake(lake, plant, tmp_path):
    outside = plant("elsewhere/precious", 1000)
    link = tmp_path / "numbers" / STAGED
    link.parent.mkdir()
    link.symlink_to(outside)
    assert lake.sweep({"numbers"}) == 0
    assert outside.exists()


def damage(path, how: str) -> None:
    content = path.read_bytes()
    if how == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flipped":  # inside a page: the footer is whole
        path.write_bytes(content[:10] + bytes(byte ^ 0xFF for byte in content[10:20]) + content[20:])
    else:  # other rows under the same footer
        footer = pq.read_metadata(path).metadata
        pq.write_table(numbers(1, 3).replace_schema_metadata(footer), path)


@pytest.mark.parametrize("how", ["truncated", "empty", "flipped", "rewritten"])
def test_a_file_that_is_not_what_was_written_is_told(lake, how):
    lake.write("numbers", DAY, numbers(1, 2), "")
    assert lake.read_verified("numbers", DAY) == numbers(1, 2)
    path = Path(lake.path("numbers", DAY))
    damage(path, how)
    with pytest.raises(DamagedPartitionError, match=rf"{path}: damaged \(.*\); `analytics repair`"):
        lake.read_verified("numbers", DAY)


def test_a_truncated_file_is_told_by_its_path_also_when_only_its_footer_is_asked_for(lake):
    lake.write("numbers", DAY, numbers(1, 2), "")
    damage(Path(lake.path("numbers", DAY)), "truncated")
    with pytest.raises(DamagedPartitionError, match=f"numbers/date={DAY}"):
        lake.info("numbers", DAY)


def test_a_verified_partition_that_is_not_there_is_a_key_error(lake):
    with pytest.raises(KeyError, match=f"numbers has no partition '{DAY}'"):
        lake.read_verified("numbers", DAY)


def test_the_footer_of_a_settled_file_is_read_once(lake, monkeypatch):
    """Each of the tables that read a partition opened its file again to learn its content hash."""
    lake.write("messages", DAY, numbers(1, 2, 3), "")
    settle(lake)
    first = lake.info("messages", DAY)
    monkeypatch.setattr("pyarrow.parquet.read_metadata", None)
    assert lake.info("messages", DAY) == first


def test_a_footer_is_read_again_after_any_change_of_the_file(lake):
    lake.write("messages", DAY, numbers(1, 2, 3), "one")
    settle(lake)
    assert lake.info("messages", DAY).provenance == "one"
    Lake.open(lake.root).write("messages", DAY, numbers(1, 2, 3), "two")  # of the same size
    assert lake.info("messages", DAY).provenance == "two"
    settle(lake)  # to the very same time as before
    assert lake.info("messages", DAY).provenance == "two"
    Path(lake.path("messages", DAY)).unlink()
    assert lake.info("messages", DAY) is None


def test_only_a_file_that_is_as_this_process_wrote_it_is_intact(lake):
    assert not lake.is_as_written("messages", DAY)
    lake.write("messages", DAY, numbers(1, 2, 3), "")
    assert lake.is_as_written("messages", DAY)
    assert not Lake.open(lake.root).is_as_written("messages", DAY)
    path = Path(lake.path("messages", DAY))
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    assert not lake.is_as_written("messages", DAY)
    path.unlink()
    assert not lake.is_as_written("messages", DAY)


def settle(lake):
    """Make every file an hour old, so that its time says whether it has changed since."""
    for path in Path(lake.root).rglob("*.parquet"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
