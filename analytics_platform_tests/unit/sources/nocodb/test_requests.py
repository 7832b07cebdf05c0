"""Retries, waits, deadlines and what errors say."""

from __future__ import annotations

import datetime as dt
import email.utils
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.nocodb import (
    NocoAuthError,
    NocoBusyError,
    NocoClient,
    NocoContractError,
    NocoNotFoundError,
    NocoRateLimitError,
    NocoRequestError,
    NocoServerError,
)
from analytics_platform.sources.nocodb.noco_api import filters
from analytics_platform.sources.nocodb.noco_api.answers import retry_after


def refuse_connection(request):
    raise httpx.ConnectError("[Errno 111] Connection refused", request=request)


def time_out(request):
    raise httpx.ReadTimeout("timed out", request=request)


def break_off(request):
    raise httpx.RemoteProtocolError("peer closed connection", request=request)


def truncate(request):
    return httpx.Response(200, content=b'{"count": 1', headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (refuse_connection, NocoServerError, "Connection refused"),
        (time_out, NocoServerError, "no answer within 30 s"),
        (break_off, NocoServerError, "peer closed connection"),
        (truncate, NocoContractError, r"\(application/json, 11 bytes\) is not whole JSON"),
        (lambda _: httpx.Response(502, text="<html>"), NocoServerError, r"server failed \(502\)"),
        (lambda _: httpx.Response(429), NocoRateLimitError, "asked too often"),
    ],
)
def test_what_may_pass_is_tried_again_and_then_told_in_one_line(server, client, fault, kind, words):
    server.script = [fault, fault]
    assert client.count("m1") == 8
    server.script = [fault] * 6
    with pytest.raises(kind, match=rf"^noco\.example, table m1: .*{words}.*\(gave up after 6 attempts in") as caught:
        client.count("m1")
    assert isinstance(caught.value, SourceError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": "ERR_AUTHENTICATION_REQUIRED", "message": "Invalid token"}, NocoAuthError),
        (403, {"msg": "Forbidden"}, NocoAuthError),
        (404, {"error": "ERR_TABLE_NOT_FOUND", "message": "Table 'm1' not found"}, NocoNotFoundError),
        (422, {"error": "ERR_BASE_NOT_FOUND", "message": "Base 'b' not found"}, NocoNotFoundError),
        (422, {"error": "ERR_INVALID_FILTER", "message": "Invalid\nfilter"}, NocoRequestError),
        (400, {}, NocoRequestError),
        (302, {}, NocoRequestError),
    ],
)
def test_a_refusal_is_told_at_once_with_the_servers_words(server, client, answers, status, body, kind):
    server.script = [answers.failing(status, {"location": "http://other.example/"}, **body)]
    with pytest.raises(kind) as caught:
        client.count("m1")
    assert len(server.requests) == 1
    assert str(caught.value).startswith("noco.example, table m1: ")
    assert " ".join(" ".join(body.values()).split()) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_refused_offset_is_a_fault_since_none_was_asked_for(server, client, answers):
    server.script = [answers.failing(422, error="ERR_INVALID_OFFSET_VALUE", message="Offset value '1000' is invalid")]
    assert [len(page) for page in client.pages("m1")] == [3, 3, 2]


def test_waits_grow_and_are_never_the_same(server, client, answers):
    server.script = [answers.failing(503)] * 5
    client.count("m1")
    for number, wait in enumerate(server.waits):
        assert 0.5 * 2**number <= wait <= 0.5 * 2**number + 0.5
    assert len(server.waits) == 5
    assert len({wait % 0.5 for wait in server.waits}) > 1


def test_the_servers_wish_to_wait_is_heeded_as_seconds_and_as_a_date(server, client, answers):
    date = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=40), usegmt=True)
    server.script = [answers.failing(429, {"retry-after": "30"}), answers.failing(503, {"retry-after": date})]
    client.count("m1")
    assert server.waits == [30, pytest.approx(40, abs=2)]


def test_a_wish_beyond_the_deadline_is_told_and_not_waited_for(server, answers):
    server.script = [answers.failing(429, {"retry-after": "3600"})]
    with (
        server.client() as client,
        pytest.raises(NocoRateLimitError, match=r"after 1 attempt in .* asks to wait 3600 s") as caught,
    ):
        client.count("m1")
    assert server.waits == []
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-5", "nan", "inf", "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2020 00:00:00"]
)
def test_a_wish_that_says_nothing_is_no_wait(header):
    assert retry_after(header) == 0


def test_an_answer_that_drips_ends_with_the_deadline():
    class Drip(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(1000):
                time.sleep(0.01)
                yield b" "

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Drip()))
    with (
        NocoClient("http://noco.example", SecretStr("t"), deadline_seconds=0.1, transport=transport) as client,
        pytest.raises(NocoServerError, match=r"no answer within 0\.\d+ s"),
    ):
        client.count("m1")


def test_requests_of_all_threads_are_spaced_by_the_rate_limit(server):
    began = []
    server.script = [lambda request: began.append(time.monotonic()) or server.answer(request)] * 8
    with server.client(requests_per_second=50) as client, ThreadPoolExecutor(4) as threads:
        started = time.monotonic()
        list(threads.map(lambda _: client.count("m1"), range(8)))
    # Not from one request to the next: a busy machine delays one of them, and the next is due.
    assert all(moment - started >= number * 0.02 - 0.005 for number, moment in enumerate(sorted(began)))


def test_a_rate_limit_that_leaves_no_time_is_told(server):
    with server.client(requests_per_second=0.1, deadline_seconds=0.05) as client:
        client.count("m1")
        with pytest.raises(NocoBusyError, match="not asked in time"):
            client.count("m1")
        assert client.circuit.state == "closed"


def test_a_filter_too_long_for_an_address_is_refused_before_it_is_sent(server, client):
    with pytest.raises(NocoRequestError, match=r"the filter is too long \(\d+ bytes, at most 8000\)"):
        client.count("m1", filters.one_of("name", ["é" * 20] * 100))
    assert server.requests == []


def test_the_token_travels_in_its_header_and_shows_nowhere(server, client, answers):
    client.count("m1")
    assert server.requests[0].headers["xc-token"] == answers.token
    server.script = [refuse_connection] * 6
    with pytest.raises(NocoServerError) as caught:
        client.count("m1")
    shown = f"{client!r} {vars(client)!r} {vars(client._transport)!r} {caught.value!r}"
    assert answers.token not in shown


def test_a_closed_client_lets_go_of_its_connections(server):
    closed = threading.Event()

    class Transport(httpx.MockTransport):
        def close(self):
            closed.set()

    with server.client(transport=Transport(server)):
        assert not closed.is_set()
    assert closed.is_set()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("url", "noco.example"),
        ("url", "ftp://noco.example"),
        ("url", "http://"),
        ("url", "http://noco.example/?a=b"),
        ("token", SecretStr(" ")),
        ("api_version", "v1"),
        ("requests_per_second", 0),
        ("requests_per_second", float("nan")),
        ("timeout_seconds", 0),
        ("deadline_seconds", -1),
        ("attempts", 0),
        ("page_rows", 0),
        ("page_rows", 1001),
        ("max_connections", 0),
        ("circuit_failures", 0),
        ("circuit_reset_seconds", 0),
    ],
)
def test_an_impossible_setting_is_refused_by_name_and_value(setting, value):
    shown = "''" if setting == "token" else repr(value)
    with pytest.raises(ValueError, match=setting) as caught:
        NocoClient(**{"url": "http://noco.example", "token": SecretStr("t"), setting: value})
    assert shown in str(caught.value)


def test_a_password_in_the_url_is_refused_without_showing_it():
    with pytest.raises(ValueError, match="url holds a user or password") as caught:
        NocoClient("http://me:hunter2@noco.example", SecretStr("t"))
    assert "hunter2" not in str(caught.value)


def test_a_server_below_a_path_is_asked_there(server):
    transport = httpx.MockTransport(server)
    with NocoClient("https://example.com/noco/", SecretStr("t"), transport=transport) as client:
        client.count("m1")
    assert str(server.requests[0].url) == "https://example.com/noco/api/v2/tables/m1/records/count"


def test_bases_of_the_hosted_service_are_listed_workspace_by_workspace() -> None:
    """The hosted service has no list of all bases: it answered that the address does not exist."""
    answers = {
        "/api/v2/meta/workspaces": {"list": [{"id": "w1", "title": "Ours"}]},
        "/api/v2/meta/workspaces/w1/bases": {"list": [{"id": "p1", "title": "Support"}]},
        "/api/v2/meta/bases/p1/tables": {"list": [{"id": "m1", "title": "Tickets"}, {"id": "m2", "title": "Messages"}]},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path)
        return httpx.Response(200, json=found) if found else httpx.Response(404, json={"error": "NOT_FOUND"})

    transport = httpx.MockTransport(answer)
    with NocoClient("http://noco.example", SecretStr("t"), requests_per_second=None, transport=transport) as client:
        (base,) = client.bases()

        assert (base.id, base.title) == ("p1", "Support")
        assert client.table_titles("p1") == {"m1": "Tickets", "m2": "Messages"}
