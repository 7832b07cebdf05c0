"""The register of leases in a folder that machines share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.held_lease import LeaseLostError
from analytics_platform.storage.leases.registers import KEPT_STATES, FolderRegister, LeasesUnreachableError
from analytics_platform_tests.lease_stand_ins import MovedClock
from analytics_platform_tests.rights import usual_rights

DAY = "2024-01-05"


@pytest.fixture
def register(tmp_path):
    return FolderRegister(tmp_path / "_leases")


def test_only_the_writer_that_saw_the_latest_text_replaces_it(register):
    nothing, version = register.read()
    assert nothing is None
    first = register.replace(b"first", version)
    assert register.replace(b"late", version) is None
    assert register.read() == (b"first", first)
    assert register.replace(b"second", first) is not None
    assert register.read()[0] == b"second"


def test_a_writer_that_saw_a_text_whose_file_is_long_gone_is_refused(register):
    """The number after the one that it saw was free again, so that its file could be made."""
    _, seen = register.read()
    version = seen
    for number in range(KEPT_STATES + 5):
        version = register.replace(str(number).encode(), version)
    assert register.replace(b"late", seen) is None
    assert register.read() == (str(KEPT_STATES + 4).encode(), version)
    assert len(list(register.folder.iterdir())) <= KEPT_STATES


def test_no_replacement_of_several_writers_at_once_is_lost(register):
    def count(_: int) -> None:
        done = None
        while done is None:
            content, version = register.read()
            done = register.replace(str(int(content or 0) + 1).encode(), version)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(KEPT_STATES)))
    assert register.read()[0] == str(KEPT_STATES).encode()


def test_the_trial_of_a_usual_folder_finds_no_fault_and_leaves_nothing(register):
    assert register.fault() is None
    assert list(register.folder.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(register):
    register.folder.mkdir(mode=0o500)
    with usual_rights(), pytest.raises(LeasesUnreachableError, match="_leases: cannot be written"):
        register.replace(b"text", "0")


def test_a_holder_that_lost_its_lease_does_not_replace_a_file_of_a_shared_folder(tmp_path):
    """It wrote over the content of the machine that had taken its days over."""
    clock = MovedClock()
    lakes = [Lake.open(str(tmp_path)) for _ in range(2)]
    for lake in lakes:
        lake.leases = DayLeases(lake.register(), clocks=clock.clocks, renews=False)
    sleeper, successor = lakes
    with sleeper.leases.held(DAY, DAY, wait_seconds=0):
        sleeper.write("numbers", DAY, pa.table({"n": [1]}), "")
        with successor.leases.held(DAY, DAY, wait_seconds=3600):
            successor.write("numbers", DAY, pa.table({"n": [2]}), "")
            with pytest.raises(LeaseLostError, match="2024-01-05 to 2024-01-05"):
                sleeper.write("numbers", DAY, pa.table({"n": [3]}), "")
    assert successor.read("numbers", DAY)["n"].to_pylist() == [2]
