"""The whole graph on a real NocoDB: pulled once, then followed change by change, and compared with a rebuild."""

from __future__ import annotations

import datetime as dt

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform_tests.integration.nocodb.chats import Chats, home_on, seed

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def chats(noco) -> Chats:
    messages, conversations = seed()
    assert len(messages) > 1_000
    return Chats(noco, messages, conversations)


def test_what_is_pulled_is_what_was_seeded_and_changes_are_followed_to_what_a_rebuild_gives(
    chats, tmp_path, monkeypatch
):
    messages, conversations = seed()
    stated = {row["conversation_id"]: row for row in conversations}
    server = chats.server
    with home_on(chats, tmp_path / "followed", monkeypatch) as home:
        home.follow()
        pulled = home.raw()
        expected = sorted(messages, key=lambda row: row["message_id"])
        assert len(pulled) == len(expected)
        for found, row in zip(pulled, expected, strict=True):
            conversation = stated[row["conversation_id"]]
            assert (found["message_id"], found["conversation_id"]) == (row["message_id"], row["conversation_id"])
            assert (found["role"], found["text"]) == (row["role"], row["text"])
            assert found["timestamp"] == dt.datetime.fromisoformat(row["timestamp"])
            customer = conversation["customer"] and conversation["customer"].strip()  # blanks are no part of an id
            assert (found["user_id"], found["outcome"]) == (customer, conversation["outcome"])
        before, home.requests = home.content(), []

        by_day: dict[str, list[int]] = {}
        for number, row in enumerate(messages):
            by_day.setdefault(row["timestamp"][:10], []).append(number)
        edited, removed = by_day["2006-05-20"][0], by_day["2006-05-25"][-1]
        moved = messages[by_day["2006-05-26"][0]]["conversation_id"]
        late = {**messages[edited], "message_id": "late", "text": "one more thing", "timestamp": "2006-05-20T23:59:00Z"}
        early = {**late, "conversation_id": moved, "message_id": "early", "timestamp": "2006-05-23T10:00:00Z"}
        fresh = {**late, "conversation_id": "fresh", "message_id": "fresh", "timestamp": "2006-05-24T10:00:00Z"}
        server.edit(chats.messages, [{"Id": chats.message_ids[edited], "text": "edited at the source"}])
        server.insert(chats.messages, [late, early, fresh])  # fresh: before its conversation
        server.delete(chats.messages, [chats.message_ids[removed]])
        home.follow()
        server.insert(chats.conversations, [{"conversation_id": "fresh", "customer": "a new customer"}])
        home.follow()
        assert home.platform.source.reconcile() == {"vanished": 1, "missing": 0, "changed": 0}
        home.follow()

        days = {conversation_day(messages, messages[number]["conversation_id"]) for number in (edited, removed)}
        days |= {"2006-05-23", conversation_day(messages, moved), "2006-05-24"}
        after = home.content()
        changed = {
            place.split("/")[2] for place in after if place.startswith("lake/raw") and place.endswith(tuple(days))
        }
        new_hashes = {
            place.rpartition("/")[2]
            for place, value in after.items()
            if place.startswith(("lake/raw_messages/", "lake/messages/", "lake/daily_metrics/"))
            and before.get(place) != value
        }
        assert changed == new_hashes == days
        assert {day for first, last in home.requests for day in (first, last)} <= days
        assert any(row["user_id"] == "a new customer" for row in home.raw())
        # The sensor asks for changed days alone. Topics of later days know the changed one, reports of the seven days
        # after it compare themselves with it, and pages of fourteen days chart it.
        home.catch_up()
        after = home.content()

    with home_on(chats, tmp_path / "rebuilt", monkeypatch) as rebuilt:
        rebuilt.follow()
        rebuilt.catch_up()
        anew = rebuilt.content()
        assert anew == {place: value for place, value in after.items() if place in anew}
        emptied = set(after) - set(anew)  # a rebuild has no reason to write a day that has become empty
        assert all(place.endswith(tuple(days)) for place in emptied)


def conversation_day(messages, conversation_id: str) -> str:
    """Return the day on which a conversation of the seed starts."""
    return min(row["timestamp"] for row in messages if row["conversation_id"] == conversation_id)[:10]


def test_a_column_that_goes_is_named_and_one_that_comes_is_kept_and_reported(noco, tmp_path, monkeypatch):
    messages, conversations = seed()
    few = Chats(noco, messages[:50], conversations[:5])
    with home_on(few, tmp_path, monkeypatch) as home:
        source = home.platform.source
        source.refresh()
        noco.add_column(few.messages, "priority", "SingleLineText")
        noco.edit(few.messages, [{"Id": few.message_ids[0], "priority": "high"}])
        source.refresh()
        assert "new ['priority'], gone []" in source.status().drift[0]
        extras = [extra for day in source.days() for extra in source.read_day(day).messages["extra"].to_pylist()]
        assert [extra for extra in extras if extra] == ['{"priority":"high"}']


def test_a_table_that_is_suddenly_nearly_empty_is_not_believed_unless_told(noco, tmp_path, monkeypatch):
    messages, conversations = seed()
    few = Chats(noco, messages[:300], conversations[:5])
    with home_on(few, tmp_path, monkeypatch) as home:
        source = home.platform.source
        source.refresh()
        days = dict(source.days())
        noco.delete(few.messages, few.message_ids[:290])
        with pytest.raises(SourceError, match="290 of 300 rows are gone; nothing was deleted here"):
            source.reconcile()
        assert source.days() == days
        assert source.reconcile(accept_loss=True)["vanished"] == 290
        assert sum(source.read_day(day).rows_read for day in source.days()) == 10


def test_a_wrong_token_is_one_clear_line_without_it(chats, tmp_path, monkeypatch):
    with home_on(chats, tmp_path, monkeypatch, NOCODB_TOKEN="not-the-token") as home:
        with pytest.raises(SourceError) as refused:
            home.platform.source.refresh()
        assert "not-the-token" not in str(refused.value)
        assert "\n" not in str(refused.value)
        assert "NOCODB_TOKEN" in str(refused.value) or "token" in str(refused.value)
