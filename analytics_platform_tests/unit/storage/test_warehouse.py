"""The published DuckDB file: replaced as a whole, by one writer at a time, whatever readers and crashes do."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.storage.warehouse.warehouse_file import (
    DamagedWarehouseError,
    Warehouse,
    WarehouseBusyError,
    WarehouseError,
    read_days,
    record_days,
)
from analytics_platform_tests.rights import usual_rights
from analytics_platform_tests.sizes import by_day_or_night

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse that has published the number 1."""
    warehouse = Warehouse(tmp_path / "home" / "warehouse.duckdb", wait_seconds=30)
    write(warehouse, 1)
    return warehouse


@pytest.fixture
def start(warehouse: Warehouse) -> Iterator[Start]:
    """Start another process on the same warehouse; it says one line when it has reached its point."""
    processes: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        setup = f"""
            import sys, duckdb
            from pathlib import Path
            from analytics_platform.storage.warehouse.warehouse_file import Warehouse
            path = Path({str(warehouse.path)!r})
        """
        program = textwrap.dedent(setup) + textwrap.dedent(code)
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def write(warehouse: Warehouse, number: int) -> None:
    with warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute(f"create or replace table numbers as select {number} as number")


def read(warehouse: Warehouse) -> int:
    with duckdb.connect(warehouse.path, read_only=True) as connection:
        return connection.execute("select number from numbers").fetchall()[0][0]


def leftovers(warehouse: Warehouse) -> list[str]:
    return sorted(path.name for path in warehouse.path.parent.iterdir() if "build" in path.name or "wal" in path.name)


def test_a_build_is_published_when_it_ends_and_not_before(warehouse: Warehouse) -> None:
    with warehouse.build() as path:
        with duckdb.connect(path) as connection:
            connection.execute("update numbers set number = 2")
        assert read(warehouse) == 1
    assert read(warehouse) == 2
    assert leftovers(warehouse) == []


def test_a_failing_build_keeps_the_published_file_and_leaves_nothing(warehouse: Warehouse) -> None:
    before = warehouse.path.read_bytes()
    with pytest.raises(duckdb.CatalogException), warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute("drop table numbers; select * from numbers")
    assert warehouse.path.read_bytes() == before
    assert leftovers(warehouse) == []


def test_a_reader_in_another_process_neither_blocks_a_build_nor_sees_it(warehouse: Warehouse, start: Start) -> None:
    reader = start("""
        with duckdb.connect(path, read_only=True) as connection:
            print("ready", flush=True)
            sys.stdin.readline()
            print(connection.execute("select number from numbers").fetchall(), flush=True)
    """)
    write(warehouse, 2)
    assert reader.communicate("go\n")[0] == "[(1,)]\n"
    assert read(warehouse) == 2


def test_a_reader_in_another_process_can_open_the_file_during_a_build(warehouse: Warehouse, start: Start) -> None:
    with warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute("update numbers set number = 2")
        reader = start("""
            print("ready", flush=True)
            print(duckdb.connect(path, read_only=True).execute("select number from numbers").fetchall(), flush=True)
        """)
        assert reader.communicate()[0] == "[(1,)]\n"


def test_a_killed_build_leaves_the_published_file_and_the_next_build_starts_from_it(
    warehouse: Warehouse, start: Start
) -> None:
    writer = start("""
        with Warehouse(path).build() as build, duckdb.connect(build) as connection:
            connection.execute("create table half as select range from range(100000)")
            print("ready", flush=True)
            sys.stdin.readline()
    """)
    assert leftovers(warehouse) != []
    writer.kill()
    writer.wait()
    assert read(warehouse) == 1
    write(warehouse, 3)
    assert read(warehouse) == 3
    assert list(warehouse.rows()) == ["numbers"]
    assert leftovers(warehouse) == []


def test_a_second_writer_says_that_it_waits_and_builds_on_what_the_first_published(
    warehouse: Warehouse, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start("""
        import time
        with Warehouse(path).build() as build, duckdb.connect(build) as connection:
            connection.execute("update numbers set number = 2")
            print("ready", flush=True)
            time.sleep(0.5)
    """)
    with (
        caplog.at_level(logging.WARNING, "analytics_platform"),
        warehouse.build() as path,
        duckdb.connect(path) as connection,
    ):
        connection.execute("update numbers set number = number * 10")
    assert read(warehouse) == 20
    assert [record.message for record in caplog.records] == [
        f"{warehouse.path} is being built by another run; waiting up to 30 s"
    ]


def test_a_writer_gives_up_after_its_time_and_says_why(warehouse: Warehouse, start: Start) -> None:
    start("""
        with Warehouse(path).build():
            print("ready", flush=True)
            sys.stdin.readline()
    """)
    impatient = Warehouse(warehouse.path, wait_seconds=0.2)
    with pytest.raises(WarehouseBusyError, match=r"warehouse\.duckdb is still being built by another run"):
        write(impatient, 2)
    assert read(warehouse) == 1


def test_days_keep_their_provenance_until_they_are_recorded_anew(warehouse: Warehouse) -> None:
    assert warehouse.days() == {}
    with warehouse.build() as path:
        record_days(path, {"2006-05-15": "a", "2006-05-16": "b"})
    with warehouse.build() as path:
        record_days(path, {"2006-05-16": "c"})
        assert read_days(path) == {"2006-05-15": "a", "2006-05-16": "c"}
        assert warehouse.days() == {"2006-05-15": "a", "2006-05-16": "b"}
    assert warehouse.days() == {"2006-05-15": "a", "2006-05-16": "c"}


def test_days_recorded_by_an_earlier_version_keep_their_provenance(warehouse: Warehouse) -> None:
    """Under another name of the column, every day would be built again."""
    with warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute("create table _partitions (name varchar, key varchar, fingerprint varchar)")
        connection.execute("insert into _partitions values ('marts', '2006-05-15', 'a')")
    assert warehouse.days() == {"2006-05-15": "a"}


def test_a_warehouse_that_was_never_published_holds_nothing(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    assert warehouse.days() == {}
    assert warehouse.rows() == {}


def test_a_negative_wait_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wait_seconds must not be negative, not -1"):
        Warehouse(tmp_path / "warehouse.duckdb", wait_seconds=-1)


def test_bytes_of_removed_rows_do_not_stay_in_the_published_file(tmp_path: Path) -> None:
    """DuckDB leaves removed rows in the free blocks of its file, and the file used to be copied from build to build."""
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute(
            "create table fct as select i % 10 as day, 'zanzibarquux' || md5(i::varchar) as user from range(50000) t(i)"
        )
        connection.execute("create table kept (name varchar primary key, value integer not null)")
        connection.execute("insert into kept values ('a', 1)")
    assert b"zanzibarquux" in warehouse.path.read_bytes()

    with warehouse.build() as path, duckdb.connect(path) as connection:
        connection.execute("update fct set user = 'nobody' where day < 5")
        connection.execute("delete from fct where day >= 5")

    assert b"zanzibarquux" not in warehouse.path.read_bytes()
    assert warehouse.rows() == {"fct": 25000, "kept": 1}
    with duckdb.connect(warehouse.path) as connection, pytest.raises(duckdb.ConstraintException):
        connection.execute("insert into kept values ('a', 2)")


BLOCK = 4096
Content = dict[str, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Content]:
    """A published file of some megabytes with values of many kinds, and what its tables hold."""
    warehouse = Warehouse(tmp_path_factory.mktemp("published") / "warehouse.duckdb")
    with warehouse.build() as path:
        with duckdb.connect(path) as connection:
            connection.execute(
                "create table facts as select range as id, date '2006-05-15' + (range // 1000)::int as day, "
                "md5(range::varchar) as name, [md5((range * 2)::varchar)] as labels, random() as score "
                "from range(40_000)"
            )
            connection.execute("create table sums as select day, count(*) as n from facts group by day")
        record_days(path, {f"2006-06-{day:02}": "print" for day in range(1, 31)})
    return warehouse.path.read_bytes(), reads(warehouse.path)


def reads(path: Path) -> Content:
    """Everything in a file, without a look at the record of its days."""
    with duckdb.connect(path, read_only=True) as connection:
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in ("facts", "sums")}


@pytest.mark.slow
@settings(
    max_examples=by_day_or_night(40, 400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1))
@example(share=0.005)
@example(share=0.2)
@example(share=0.35)
@example(share=0.7)
@example(share=0.9)
@example(share=0.0)
def test_flipped_bytes_are_damage_or_change_nothing(
    published: tuple[bytes, Content], tmp_path: Path, share: float
) -> None:
    """A part that no query of the platform reads was damaged, and the file counted as right."""
    content, right = published
    start = int(share * (len(content) - BLOCK))
    flipped = bytes(byte ^ 0xFF for byte in content[start : start + BLOCK])
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content[:start] + flipped + content[start + BLOCK :])
    told = ""
    try:
        Warehouse(path).verify()
    except DamagedWarehouseError as error:
        told = str(error)
    if told:
        assert re.fullmatch(rf"{path}: damaged \([^\n]+\); `analytics repair` builds it anew", told)
    else:
        assert reads(path) == right  # the bytes are in a block that holds nothing


@pytest.mark.parametrize("content", [b"", b"no database" * 1000, "half", "cut"])
def test_a_file_that_is_cut_or_no_database_is_damage(
    published: tuple[bytes, Content], tmp_path: Path, content: bytes | str
) -> None:
    whole = published[0]
    lengths = {"half": len(whole) // 2, "cut": len(whole) - BLOCK}
    path = tmp_path / "warehouse.duckdb"
    path.write_bytes(content if isinstance(content, bytes) else whole[: lengths[content]])
    for look in (Warehouse(path).verify, Warehouse(path).days):
        with pytest.raises(DamagedWarehouseError, match="`analytics repair` builds it anew"):
            look()


def test_a_file_without_permission_is_told_from_a_locked_one(warehouse: Warehouse) -> None:
    """The advice was to try again when no process locks the file."""
    warehouse.path.chmod(0)
    with usual_rights(), pytest.raises(WarehouseError) as refusal:
        warehouse.days()
    warehouse.path.chmod(0o600)
    assert f"{warehouse.path}: this user (" in str(refusal.value)
    assert "mode 000); chmod u+rw it" in str(refusal.value)


def test_a_file_that_somebody_writes_to_is_not_damaged(warehouse: Warehouse, start: Start) -> None:
    """A repair would build it anew under the hands of whoever writes."""
    start("""
        with duckdb.connect(path) as connection:
            print("ready", flush=True)
            sys.stdin.readline()
    """)
    with pytest.raises(WarehouseError, match=r"cannot be read .*lock.*try again") as refused:
        warehouse.verify()
    assert not isinstance(refused.value, DamagedWarehouseError)


def test_a_build_anew_replaces_a_damaged_file_and_the_log_of_a_killed_writer(warehouse: Warehouse) -> None:
    log = warehouse.path.with_name("warehouse.duckdb.wal")
    warehouse.path.write_bytes(b"no database")
    log.write_bytes(b"of the old file")
    with warehouse.build(anew=True) as path:
        assert not path.exists()
        with duckdb.connect(path) as connection:
            connection.execute("create table numbers as select 7 as number")
        assert warehouse.path.read_bytes() == b"no database"
    assert read(warehouse) == 7
    assert not log.exists()


ANALYST = """
    connection = duckdb.connect(path)
    connection.execute("create table notes as select 'mine' as note")
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_tables_of_a_killed_analyst_are_carried_along(warehouse: Warehouse, start: Start, caplog) -> None:
    """The table was seen by readers until the next build, which removed it without a word."""
    analyst = start(ANALYST)
    analyst.kill()
    analyst.wait()
    write(warehouse, 2)
    assert read(warehouse) == 2
    with duckdb.connect(warehouse.path, read_only=True) as connection:
        assert connection.execute("select note from notes").fetchall() == [("mine",)]
    assert leftovers(warehouse) == []
    assert caplog.messages == []


def test_a_build_anew_says_that_a_killed_analyst_loses_tables(warehouse: Warehouse, start: Start, caplog) -> None:
    analyst = start(ANALYST)
    analyst.kill()
    analyst.wait()
    with warehouse.build(anew=True) as path, duckdb.connect(path) as connection:
        connection.execute("create table numbers as select 7 as number")
    assert read(warehouse) == 7
    assert caplog.messages == [
        f"{warehouse.path}.wal: removed; the last changes that another process committed to the warehouse are lost"
    ]
