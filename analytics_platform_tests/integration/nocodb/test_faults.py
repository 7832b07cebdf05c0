"""The client behind a network that spoils every fifth answer, and before a server that is down."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest

from analytics_platform.sources.nocodb import CircuitChange, NocoCircuitOpenError, NocoClient, NocoServerError
from analytics_platform.sources.nocodb.noco_api import filters
from analytics_platform_tests.integration.nocodb.faults import Fault, FaultyProxy, Plan
from analytics_platform_tests.integration.nocodb.server import chat_rows

ROWS = 1200


@pytest.fixture(scope="module")
def table(noco):
    table = noco.make_table()
    ids = noco.insert(table, chat_rows(ROWS))
    noco.delete(table, ids[100:400:3])  # keys with gaps, as real tables have
    return table


@pytest.fixture
def proxy(noco) -> Iterator[FaultyProxy]:
    with FaultyProxy(noco.url) as proxy:
        yield proxy


def quick_client(proxy, noco, **options) -> NocoClient:
    defaults = {"requests_per_second": None, "page_rows": 12, "attempts": 12, "sleep": lambda _: None}
    return NocoClient(proxy.url, noco.token, **{**defaults, **options})


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_the_rows_of_the_server_arrive_although_a_fifth_of_the_answers_is_spoiled(
    proxy, noco, table, version, seed
):
    with NocoClient(noco.url, noco.token, requests_per_second=None) as direct:
        expected = [row for page in direct.pages(table) for row in page]
    proxy.plan = Plan(seed=seed, stall_seconds=0.2)
    with quick_client(proxy, noco, api_version=version) as client:
        rows = [row for page in client.pages(table) for row in page]
    assert rows == expected
    assert len(expected) == ROWS - 100
    assert proxy.made.total() > 0.1 * proxy.requests
    assert set(proxy.made) == set(Fault)


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("kind", list(Fault))
def test_each_kind_of_fault_is_survived(proxy, noco, table, version, kind):
    proxy.plan = Plan(seed=7, share=0.3, kinds=(kind,), stall_seconds=0.1)
    with quick_client(proxy, noco, api_version=version, page_rows=100) as client:
        rows = [row["Id"] for page in client.pages(table, where=filters.one_of("role", ["user"])) for row in page]
    assert len(rows) == len(set(rows)) == noco_count(noco, table)
    assert proxy.made[kind] >= 1


def noco_count(noco, table) -> int:
    with NocoClient(noco.url, noco.token) as client:
        return client.count(table, filters.one_of("role", ["user"]))


def test_stalls_of_ten_seconds_end_with_the_time_out(proxy, noco, table):
    proxy.plan = Plan(seed=4, share=0.5, kinds=(Fault.STALL,), stall_seconds=10)
    with quick_client(proxy, noco, timeout_seconds=0.5, page_rows=500) as client:
        rows = [row["Id"] for page in client.pages(table) for row in page]
    assert len(rows) == ROWS - 100
    assert proxy.made[Fault.STALL] >= 1


def test_a_server_that_stays_down_opens_the_circuit_and_the_next_success_catches_up(proxy, noco, table):
    changes: list[CircuitChange] = []
    options = {"attempts": 2, "circuit_failures": 2, "circuit_reset_seconds": 0.3, "page_rows": 300}
    with quick_client(proxy, noco, **options) as client:
        client.circuit.subscribe(changes.append)
        pages = client.pages(table, fields=["Id"])
        seen = [row["Id"] for row in next(pages)]
        proxy.plan = Plan(share=0, down=True)
        for _ in range(2):
            with pytest.raises(NocoServerError, match=r"table \w+: the server failed \(503\).*after 2 attempts"):
                client.count(table)
        asked = proxy.requests
        with pytest.raises(NocoCircuitOpenError, match=r"not asked, because it failed repeatedly; .*again at .* UTC"):
            next(pages)
        assert (client.circuit.state, proxy.requests) == ("open", asked)

        proxy.plan = Plan(share=0)
        retry_at = client.circuit.retry_at
        wait_until(retry_at)
        seen += [row["Id"] for page in client.pages(table, fields=["Id"], after=seen[-1]) for row in page]
    assert len(seen) == len(set(seen)) == ROWS - 100
    assert [(change.before, change.after) for change in changes] == [
        ("closed", "open"),
        ("open", "half-open"),
        ("half-open", "closed"),
    ]
    assert (changes[0].retry_at, "503" in changes[0].cause) == (retry_at, True)


def wait_until(moment: dt.datetime) -> None:
    time.sleep(max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds()) + 0.01)
