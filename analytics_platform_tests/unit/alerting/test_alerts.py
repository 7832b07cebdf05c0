"""Raising and delivering alerts, against a real web server and a real mail server."""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiosmtpd.controller import Controller

from analytics_platform.alerting import AlertError, Alerts, Delivery, Links, channels
from analytics_platform.alerting.overdue import overdue_since

pytestmark = pytest.mark.slow  # each delivery is a process

HOUR = 3600.0
SECRETS = ("p4ssw0rd-of-hook", "t0ken-in-path")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def alerts(tmp_path, webhook, clock):
    return Alerts(tmp_path / "home" / "alerts.sqlite", lambda: webhook.url, repeat_hours=24, clock=clock)


def raise_one(alerts: Alerts, key: str = "messages") -> bool:
    return alerts.raise_alert("check_failed", key, f"Check of {key} failed", "3 problems.", "http://ui/assets/messages")


def test_an_alert_arrives_with_its_words_and_its_link(alerts, webhook):
    assert raise_one(alerts)
    assert alerts.deliver().sent == 1
    [message] = webhook.received
    assert message["title"] == "Check of messages failed"
    assert message["message"].splitlines() == ["3 problems.", "http://ui/assets/messages"]


def test_the_same_alert_is_not_sent_again_within_the_repeat_time(alerts, webhook, clock):
    assert [raise_one(alerts), raise_one(alerts)] == [True, False]
    alerts.deliver()
    clock.now += 23.9 * HOUR
    assert not raise_one(alerts)
    alerts.deliver()
    assert len(webhook.received) == 1
    clock.now += 0.2 * HOUR
    assert raise_one(alerts)
    alerts.deliver()
    assert len(webhook.received) == 2


def test_a_restart_repeats_nothing(alerts, tmp_path, webhook, clock):
    raise_one(alerts)
    alerts.deliver()
    restarted = Alerts(tmp_path / "home" / "alerts.sqlite", lambda: webhook.url, repeat_hours=24, clock=clock)
    assert not raise_one(restarted)
    assert restarted.deliver().sent == 0
    assert len(webhook.received) == 1


def test_several_alerts_go_in_one_message(alerts, webhook):
    for number in range(25):
        raise_one(alerts, f"table_{number:02}")
    assert alerts.deliver().sent == 1
    [message] = webhook.received
    assert message["title"] == "25 alerts"
    assert "Check of table_00 failed" in message["message"]
    assert message["message"].endswith("... and 5 more")


def test_a_channel_that_refuses_gets_it_at_the_next_try_and_the_others_get_it_once(tmp_path, webhook, clock):
    mails: list[bytes] = []

    class Mailbox:
        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
            mails.append(envelope.content)
            return "250 OK"

    webhook.status = 503
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        mail = f"mailto://127.0.0.1:{port}?from=platform@example.org&to=one@example.org,two@example.org&mode=insecure"
        both = Alerts(tmp_path / "a.sqlite", lambda: f"{webhook.url}, {mail}", repeat_hours=24, clock=clock)
        raise_one(both)
        first = both.deliver()
        assert first.sent == 1
        assert first.problems == ["channel 1, JSON: refused with HTTP 503; 1 alert waits for the next try"]
        webhook.status = 200
        assert both.deliver() == type(first)(1, [])
        assert both.deliver() == type(first)(0, [])
    finally:
        controller.stop()
    assert [b"Check of messages failed" in mail for mail in mails] == [True, True], "one for each recipient"
    assert len(webhook.received) == 2


def test_a_channel_that_never_answers_is_left_after_its_time(alerts, webhook, monkeypatch):
    monkeypatch.setattr(channels.Channel.send, "__defaults__", (0.3,))
    webhook.hold.set()
    raise_one(alerts)
    [problem] = alerts.deliver().problems
    assert "no answer within 0.3 s" in problem
    webhook.hold.clear()
    assert alerts.deliver().sent == 1


def test_of_an_endless_answer_only_the_beginning_is_read(alerts, webhook):
    """A receiver that never stopped answering filled the daemon's memory, by 100 MB a second."""
    webhook.endless = b"x" * 1_000_000
    raise_one(alerts)
    assert alerts.deliver() == Delivery(1, [])
    assert webhook.hung_up.wait(10)


def test_nothing_goes_on_reading_after_the_time_of_a_channel(alerts, webhook, monkeypatch):
    """A thread stayed with each slow receiver, for as long as the receiver went on."""
    monkeypatch.setattr(channels.Channel.send, "__defaults__", (0.5,))
    webhook.endless, webhook.pause_seconds = b"x", 0.05
    raise_one(alerts)
    [problem] = alerts.deliver().problems
    assert "no answer within 0.5 s" in problem
    assert webhook.hung_up.wait(10)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_drops_the_message_is_no_delivery(alerts, webhook, status):
    """A server that redirects http to https lost every alert, and each counted as sent."""
    webhook.status, webhook.location = status, "/moved"
    raise_one(alerts)
    [problem] = alerts.deliver().problems
    assert f"refused with HTTP {status}; it redirects: set the address that it redirects to" in problem
    webhook.status, webhook.location = 200, ""
    assert alerts.deliver().sent == 1


def test_a_redirect_that_keeps_the_message_delivers_it(alerts, webhook):
    webhook.status, webhook.location = 308, "/moved"
    raise_one(alerts)
    assert alerts.deliver() == Delivery(1, [])
    assert [message["title"] for message in webhook.received] == ["Check of messages failed"] * 2


def test_without_channels_alerts_are_logged(tmp_path, caplog):
    silent = Alerts(tmp_path / "a.sqlite", lambda: None, repeat_hours=24)
    raise_one(silent)
    raise_one(silent)
    assert silent.deliver().sent == 0
    assert [record.message for record in caplog.records] == [
        "alert: Check of messages failed: 3 problems. http://ui/assets/messages"
    ]


def test_a_channel_configured_later_gets_no_old_alerts(tmp_path, webhook, clock):
    path = tmp_path / "a.sqlite"
    silent = Alerts(path, lambda: None, repeat_hours=24, clock=clock)
    raise_one(silent)
    silent.deliver()
    assert Alerts(path, lambda: webhook.url, repeat_hours=24, clock=clock).deliver().sent == 0


def test_alerts_raised_at_once_by_many_are_one(alerts):
    with ThreadPoolExecutor(8) as pool:
        news = list(pool.map(lambda _: raise_one(alerts), range(40)))
    assert sum(news) == 1


def test_addresses_are_in_no_log_and_no_repr(alerts, webhook, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    for status in (200, 500):
        webhook.status = status
        raise_one(alerts, str(status))
        alerts.deliver()
    unreachable = Alerts(tmp_path / "b.sqlite", lambda: f"json://{SECRETS[0]}@127.0.0.1:1/{SECRETS[1]}", repeat_hours=1)
    raise_one(unreachable)
    unreachable.deliver()
    shown = "\n".join([*(record.getMessage() for record in caplog.records), repr(alerts), repr(alerts.channels)])
    shown += "".join(capfd.readouterr())
    assert "channel 1, JSON: refused with HTTP 500" in shown
    assert "channel 1, JSON: not reachable" in shown
    assert not [secret for secret in SECRETS if secret in shown]


def test_an_unknown_address_is_named_by_its_number_only(tmp_path, webhook, caplog, capfd):
    bad = Alerts(tmp_path / "a.sqlite", lambda: f"{webhook.url},nope://t0ken-in-path", repeat_hours=24)
    raise_one(bad)
    with pytest.raises(AlertError, match=r"^ANALYTICS_ALERT_URLS: address 2 is of no service that apprise knows$"):
        bad.deliver()
    assert "t0ken" not in caplog.text + "".join(capfd.readouterr())


def test_two_deliveries_at_once_lose_nothing(alerts, webhook):
    raise_one(alerts)
    threads = [threading.Thread(target=alerts.deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert webhook.received
    assert alerts.deliver().sent == 0


def test_links_lead_to_the_pages_of_the_ui():
    links = Links("https://ui.example.org/")
    assert links.run("r1") == "https://ui.example.org/runs/r1"
    assert links.asset(["mongo", "user analytics"]) == "https://ui.example.org/assets/mongo/user%20analytics"
    assert links.check(["messages"], "a_b") == "https://ui.example.org/assets/messages?view=checks&checkDetail=a_b"


@pytest.mark.parametrize(
    ("updated", "first_after", "expected"),
    [
        ({"raw": 90, "clean": 91}, {}, {}),
        ({"raw": 80, "clean": 91}, {}, {"raw": 80}),  # the source was not read
        ({"raw": 99, "clean": 80}, {"raw": 85}, {"clean": 85}),  # it lags since the first update it missed
        ({"raw": 99, "clean": 80}, {"raw": 99}, {}),  # and that was a moment ago
        ({"raw": 99}, {}, {}),  # nobody relies on what was never there
        ({}, {}, {}),
    ],
)
def test_an_asset_is_stale_when_it_misses_an_update_for_longer_than_allowed(updated, first_after, expected):
    times = {name: hours * HOUR for name, hours in updated.items()}
    found = overdue_since(
        times, {"raw": [], "clean": ["raw"]}, lambda name, _: first_after[name] * HOUR, now=100 * HOUR, hours=12
    )
    assert found == {name: hours * HOUR for name, hours in expected.items()}
