"""Leases on days: who works, who waits, who takes over, and what a holder that slept finds out."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.day_locks import DaysBusyError
from analytics_platform.storage.leases.held_lease import HeldLease, LeaseLostError
from analytics_platform.storage.leases.registers import LeasesUnreachableError
from analytics_platform_tests.lease_stand_ins import MemoryRegister, MovedClock

SECONDS = 60.0
HOUR = 3600.0


@pytest.fixture
def register():
    return MemoryRegister()


@pytest.fixture
def clock():
    return MovedClock()


@pytest.fixture
def machine(register, clock):
    """Return the leases of one more machine."""
    return lambda: DayLeases(register, seconds=SECONDS, clocks=clock.clocks, renews=False)


def is_held(lease: HeldLease) -> bool:
    try:
        lease.require()
    except LeaseLostError:
        return False
    return True


def test_a_day_that_another_machine_holds_is_refused_with_its_holder(machine):
    refused = pytest.raises(DaysBusyError, match=r"process \d+ of .+, since .+ UTC, still works on 2024-01-05")
    with machine().held("2024-01-05", "2024-01-09", wait_seconds=0), refused:
        machine().held("2024-01-09", "2024-01-12", wait_seconds=0).__enter__()


def test_days_beside_held_ones_are_free_and_released_ones_too(machine):
    first, second = machine(), machine()
    with first.held("2024-01-05", "2024-01-09", wait_seconds=0):
        for days in (("2024-01-01", "2024-01-04"), ("2024-01-10", "2024-01-31")):
            with second.held(*days, wait_seconds=0) as lease:
                assert is_held(lease)
    with second.held("2024-01-05", "2024-01-09", wait_seconds=0) as lease:
        assert is_held(lease)


def test_a_holder_that_renews_keeps_its_days_however_long_others_wait(machine, clock):
    with machine().held("2024-01-05", "2024-01-05", wait_seconds=0) as lease:
        clock.while_asleep = lease.confirm
        with pytest.raises(DaysBusyError):
            machine().held("2024-01-05", "2024-01-05", wait_seconds=HOUR).__enter__()
        assert is_held(lease)


def test_a_holder_that_stood_still_is_replaced_and_finds_out_before_it_writes(machine, clock):
    """A machine that slept wrote over the content of the machine that had taken its days over."""
    sleeper, successor = machine(), machine()
    with sleeper.held("2024-01-05", "2024-01-07", wait_seconds=0) as lost:
        began = clock.seconds
        with successor.held("2024-01-07", "2024-01-09", wait_seconds=HOUR) as lease:
            assert SECONDS <= clock.seconds - began <= 1.5 * SECONDS
            assert lease.token > lost.token
            for _ in range(2):
                with pytest.raises(LeaseLostError, match=r"2024-01-05 to 2024-01-07: .+ has taken them over"):
                    lost.require()
            assert is_held(lease)
    with machine().held("2024-01-05", "2024-01-09", wait_seconds=0):
        pass


def test_a_holder_that_slept_and_was_not_replaced_goes_on(machine, clock):
    with machine().held("2024-01-05", "2024-01-07", wait_seconds=0) as lease:
        clock.seconds += 10 * HOUR
        assert is_held(lease)
        with pytest.raises(DaysBusyError):
            machine().held("2024-01-05", "2024-01-05", wait_seconds=SECONDS / 2).__enter__()


def test_a_held_lease_is_trusted_without_a_request(machine, register, clock):
    """One request for each partition would double the requests of a run."""
    with machine().held("2024-01-05", "2024-01-07", wait_seconds=0) as lease:
        before = register.requests
        clock.seconds += SECONDS / 2
        lease.require()
        assert register.requests == before
        clock.seconds += SECONDS / 2
        lease.require()
        assert register.requests > before


def test_a_dead_process_of_the_same_lock_file_is_replaced_at_once(machine, clock):
    """After a kill, the next run of the same home would wait for a minute, though the lock tells that it is alone."""
    with ExitStack() as stack:
        stack.enter_context(machine().held("2024-01-05", "2024-01-07", wait_seconds=0, local_lock="this"))
        stack.enter_context(machine().held("2024-01-08", "2024-01-08", wait_seconds=0, local_lock="this"))
        before = clock.seconds
        with machine().held("2024-01-06", "2024-01-06", wait_seconds=0, local_lock="this") as lease:
            assert is_held(lease)
        assert clock.seconds == before
        with pytest.raises(DaysBusyError):
            machine().held("2024-01-08", "2024-01-08", wait_seconds=0, local_lock="another").__enter__()


def test_one_process_may_hold_a_day_twice_as_with_its_lock(machine):
    leases = machine()
    with leases.held("2024-01-01", "2024-01-31", wait_seconds=0) as outer:
        with leases.held("2024-01-05", "2024-01-05", wait_seconds=0) as inner:
            assert leases.lease_of("2024-01-05") is inner
            assert leases.lease_of("2024-01-06") is outer
        assert leases.lease_of("2024-01-05") is leases.lease_of("") is outer
    assert leases.lease_of("2024-01-05") is None


def test_a_worker_writes_under_the_lease_of_its_run_until_the_run_has_lost_it(machine, clock):
    """Workers in other processes wrote for a run whose days another machine had taken over."""
    run, worker = machine(), machine()
    with run.held("2024-01-01", "2024-01-31", wait_seconds=0) as lease:
        worker.join(lease.entry)
        worker.lease_of("2024-01-05").require()
        with machine().held("2024-01-07", "2024-01-07", wait_seconds=HOUR), pytest.raises(LeaseLostError):
            worker.lease_of("2024-01-05").require()
    with run.held("2024-01-01", "2024-01-31", wait_seconds=0) as lease:
        worker.join(lease.entry)
        worker.lease_of("2024-01-05").require()
        worker.join(None)
        assert worker.lease_of("2024-01-05") is None


def test_leases_of_dead_machines_do_not_pile_up(machine, register, clock):
    machine().held("2024-02-01", "2024-02-01", wait_seconds=0).__enter__()
    with machine().held("2024-01-01", "2024-01-31", wait_seconds=0) as lease:
        clock.seconds += 2 * SECONDS
        lease.confirm()
    assert b"2024-02-01" not in register.content


def test_tokens_rise_even_after_the_table_was_lost(machine, register, clock):
    """MongoDB would refuse every later run, because its entries have higher tokens."""
    with machine().held("2024-01-01", "2024-01-31", wait_seconds=0) as before:
        pass
    register.content = None
    clock.seconds += 1
    with machine().held("2024-01-01", "2024-01-31", wait_seconds=0) as after:
        assert after.token > before.token


def test_a_store_without_conditional_writes_is_named_once_and_grants_nothing(clock, caplog):
    register = MemoryRegister("2 of 4 writes with If-None-Match succeeded, not one")
    leases = DayLeases(register, clocks=clock.clocks, renews=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with leases.held("2024-01-01", "2024-01-31", wait_seconds=0) as lease:
                assert lease is None
                assert leases.lease_of("2024-01-01") is None
    assert [record.message.count("are not kept apart, because 2 of 4") for record in caplog.records] == [1]
    assert "they are not kept apart" in leases.describe()


def test_another_program_s_file_in_the_place_of_the_leases_is_named(register, machine):
    register.content = b"[]"
    with pytest.raises(LeasesUnreachableError, match="memory: not a table of leases"):
        machine().held("2024-01-01", "2024-01-31", wait_seconds=0).__enter__()


def test_a_grant_whose_answer_was_lost_is_recognised(register, machine, clock):
    """The machine would wait for its own lease to expire."""
    replace = register.replace

    def deaf(content, version):
        replace(content, version)
        register.replace = replace

    leases = machine()
    with leases.held("2024-02-01", "2024-02-01", wait_seconds=0):
        register.replace = deaf
        before = clock.seconds
        with leases.held("2024-01-01", "2024-01-31", wait_seconds=0) as lease:
            assert is_held(lease)
        assert clock.seconds - before < 1


def test_the_thread_renews_a_lease_that_is_as_short_as_a_test(register):
    with DayLeases(register, seconds=0.3).held("2024-01-05", "2024-01-05", wait_seconds=0) as lease:
        with pytest.raises(DaysBusyError):
            DayLeases(register, seconds=0.3).held("2024-01-05", "2024-01-05", wait_seconds=1.5).__enter__()
        assert is_held(lease)


MACHINES = range(3)
DAYS = st.integers(1, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from(MACHINES), st.tuples(DAYS, DAYS)),
        st.tuples(st.sampled_from(["leave", "stop", "wake", "write"]), st.sampled_from(MACHINES), st.none()),
        st.tuples(st.just("pass"), st.floats(0, 2 * SECONDS), st.none()),
    ),
    max_size=25,
)


class World:
    """Machines that take, hold and leave days; one that stands still renews nothing."""

    def __init__(self) -> None:
        self.clock, self.register = MovedClock(), MemoryRegister()
        self.clock.while_asleep = self.beat
        self.machines = {
            one: DayLeases(self.register, seconds=SECONDS, clocks=self.clock.clocks, renews=False) for one in MACHINES
        }
        self.held: dict[int, tuple[ExitStack, HeldLease]] = {}
        self.stopped: set[int] = set()
        self.slept: set[int] = set()

    def beat(self) -> None:
        """Renew the leases of the machines that are awake, as their threads do."""
        for one, (_, lease) in self.held.items():
            if one not in self.stopped and is_held(lease):
                lease.confirm()

    def take(self, one: int, days: tuple[int, int]) -> None:
        if one in self.held or one in self.stopped:
            return
        first, last = (f"2024-01-{day:02}" for day in sorted(days))
        stack = ExitStack()
        try:
            lease = stack.enter_context(self.machines[one].held(first, last, wait_seconds=3 * SECONDS))
        except DaysBusyError:
            return
        self.held[one] = stack, lease
        self.slept.discard(one)
        for other, (_, beaten) in self.held.items():
            if other != one and beaten.entry.overlaps(first, last):
                assert not is_held(beaten), "two machines hold a day"
                assert beaten.token < lease.token

    def leave(self, one: int, _: object) -> None:
        if one in self.held and one not in self.stopped:
            self.held.pop(one)[0].close()

    def stop(self, one: int, _: object) -> None:
        self.stopped.add(one)
        self.slept.add(one)

    def wake(self, one: int, _: object) -> None:
        self.stopped.discard(one)

    def write(self, one: int, _: object) -> None:
        if one in self.held and one not in self.slept:
            self.held[one][1].require()  # a machine that never slept never loses its days

    def wait(self, seconds: float, _: object) -> None:
        for _ in range(int(seconds // (SECONDS / 3)) + 1):
            self.clock.sleep(SECONDS / 3)


@given(STEPS)
def test_no_two_machines_ever_hold_a_day_and_none_that_is_awake_loses_one(steps):
    world = World()
    for what, which, more in steps:
        (world.wait if what == "pass" else getattr(world, what))(which, more)
