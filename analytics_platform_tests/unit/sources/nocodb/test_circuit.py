from __future__ import annotations

import datetime as dt
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from analytics_platform.sources.nocodb import (
    Circuit,
    NocoCircuitOpenError,
    NocoNotFoundError,
    NocoRequestError,
    NocoServerError,
)

RESET = 60.0


class Clock:
    """A clock that a test sets forward."""

    def __init__(self):
        self.time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def __call__(self):
        return self.time

    def pass_reset(self):
        self.time += dt.timedelta(seconds=RESET)


def fail(kind=NocoServerError, words="noco.example: it is down"):
    raise kind(words)


def break_circuit(circuit, times):
    for _ in range(times):
        with pytest.raises(NocoServerError):
            circuit.call(fail)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def circuit(clock):
    return Circuit("noco.example", failures=2, reset_seconds=RESET, now=clock)


def test_it_opens_after_failures_in_a_row_and_says_when_it_tries_again(circuit, clock):
    break_circuit(circuit, 1)
    circuit.call(lambda: None)
    break_circuit(circuit, 1)
    assert (circuit.state, circuit.retry_at) == ("closed", None)
    break_circuit(circuit, 1)
    assert circuit.state == "open"
    with pytest.raises(NocoCircuitOpenError, match=r"noco\.example: not asked.*again at .* UTC.*it is down") as caught:
        circuit.call(pytest.fail)
    assert caught.value.retry_at == circuit.retry_at
    assert circuit.retry_at - clock() == dt.timedelta(seconds=RESET)


def test_a_refusal_shows_a_server_at_work(circuit):
    for kind in (NocoNotFoundError, NocoRequestError) * 2:
        break_circuit(circuit, 1)
        with pytest.raises(kind):
            circuit.call(lambda kind=kind: fail(kind))
    assert circuit.state == "closed"


def test_one_success_closes_it_and_one_failure_opens_it_again(circuit, clock):
    break_circuit(circuit, 2)
    clock.pass_reset()
    break_circuit(circuit, 1)
    assert circuit.state == "open"
    clock.pass_reset()
    assert circuit.call(lambda: 7) == 7
    assert circuit.state == "closed"


def test_only_one_call_at_a_time_tries_whether_the_server_is_back(circuit, clock):
    break_circuit(circuit, 2)
    clock.pass_reset()
    trying, go_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as thread:
        trial = thread.submit(circuit.call, lambda: trying.set() or go_on.wait(5))
        assert trying.wait(5)
        assert circuit.state == "half-open"
        with pytest.raises(NocoCircuitOpenError, match="being tried just now"):
            circuit.call(pytest.fail)
        go_on.set()
        assert trial.result()
    assert circuit.state == "closed"


def test_slow_calls_do_not_wait_for_each_other(circuit):
    meeting = threading.Barrier(3, timeout=5)
    with ThreadPoolExecutor(3) as threads:
        assert len([threads.submit(circuit.call, meeting.wait) for _ in range(3)]) == 3
    assert not meeting.broken


@pytest.mark.parametrize("late", [fail, lambda: None])
def test_a_call_that_began_before_it_opened_does_not_decide(circuit, late):
    began, go_on, changes = threading.Event(), threading.Event(), []
    circuit.subscribe(changes.append)
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(circuit.call, lambda: (began.set(), go_on.wait(5), late()))
        assert began.wait(5)
        break_circuit(circuit, 2)
        go_on.set()
        slow.exception()
    assert circuit.state == "open"
    assert len(changes) == 1


def test_an_interrupted_trial_leaves_it_open(circuit, clock):
    break_circuit(circuit, 2)
    clock.pass_reset()

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        circuit.call(interrupt)
    assert circuit.state == "open"
    clock.pass_reset()
    circuit.call(lambda: None)
    assert circuit.state == "closed"


def test_subscribers_learn_every_change_with_its_cause_and_cannot_break_anything(circuit, clock, caplog):
    changes = []
    circuit.subscribe(lambda _: 1 / 0)
    circuit.subscribe(changes.append)
    break_circuit(circuit, 2)
    retry_at = circuit.retry_at
    clock.pass_reset()
    circuit.call(lambda: None)
    told = [(change.place, change.before, change.after, change.retry_at, change.cause) for change in changes]
    assert told == [
        ("noco.example", "closed", "open", retry_at, "noco.example: it is down"),
        ("noco.example", "open", "half-open", None, ""),
        ("noco.example", "half-open", "closed", None, ""),
    ]
    assert "A subscriber of the circuit of noco.example failed" in caplog.text


def test_a_client_opens_its_circuit_after_calls_that_were_retried_in_vain(server, answers):
    server.script = [answers.failing(503)] * 4
    with server.client(attempts=2, circuit_failures=2, circuit_reset_seconds=1) as client:
        for _ in range(2):
            with pytest.raises(NocoServerError):
                client.count("m1")
        with pytest.raises(NocoCircuitOpenError):
            next(client.pages("m1"))
        assert len(server.requests) == 4
        time.sleep(1)
        assert client.count("m1") == 8
        assert client.circuit.state == "closed"
