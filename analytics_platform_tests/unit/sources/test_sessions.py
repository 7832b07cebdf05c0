"""Messages that name no conversation become conversations by the time between them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.mapping import FieldMapping
from analytics_platform.sources.nocodb.mirroring.mirror import MESSAGES, Mirror
from analytics_platform.sources.nocodb.noco_tables.records import to_rows
from analytics_platform.sources.published_days import read_day
from analytics_platform_tests.sizes import by_day_or_night

HEADER = "customer,role,text,timestamp\n"
MAPPING = "{columns: {user_id: customer}, session_gap: 4h}"
START = dt.datetime(2024, 1, 5, 10, tzinfo=dt.UTC)


def line(customer: str, minutes: int, text: str = "hi") -> str:
    return f"{customer},user,{text},{(START + dt.timedelta(minutes=minutes)).isoformat()}\n"


def sessions_of(messages: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return the minutes of the messages by conversation."""
    found: dict[str, list[int]] = {}
    for row in messages:
        minutes = int((row["timestamp"] - START).total_seconds() // 60)
        found.setdefault(row["conversation_id"], []).append(minutes)
    return {name: sorted(times) for name, times in found.items()}


def read(folder: Any, *lines: str, mapping: str = MAPPING) -> Any:
    return folder.rows_of("a.csv", HEADER + "".join(lines), mapping=folder.write("mapping.yaml", mapping))


def test_a_long_silence_begins_a_new_conversation(folder):
    found = read(folder, line("ann", 0), line("ann", 240), line("bob", 10), line("ann", 481), line("ann", 2000))

    assert sorted(sessions_of(found.messages).values()) == [[0, 240], [10], [481], [2000]]
    assert found.quarantined == []


def test_late_rows_at_the_end_change_no_name(folder):
    before = read(folder, line("ann", 0), line("ann", 500))
    after = read(folder, line("ann", 0), line("ann", 500), line("ann", 60), line("ann", 700), line("ann", 2000))

    assert set(sessions_of(before.messages)) < set(sessions_of(after.messages))
    assert sorted(sessions_of(after.messages).values()) == [[0, 60], [500, 700], [2000]]


def test_a_conversation_that_is_named_keeps_its_name(folder):
    rows = "conversation_id,customer,role,text,timestamp\nc1,ann,user,hi,2024-01-05\n,ann,user,hi,2024-01-05\n"
    found = folder.rows_of("a.csv", rows, mapping=folder.write("mapping.yaml", MAPPING))

    assert len(sessions_of(found.messages)) == 2
    assert "c1" in sessions_of(found.messages)


def test_a_row_without_any_key_is_quarantined_alone(folder):
    found = read(folder, line("ann", 0), line("", 1))
    assert found.reasons == {2: "missing_conversation_id"}


def test_sessions_are_of_all_their_keys(folder):
    mapping = (
        "{columns: {user_id: customer, channel: role}, constants: {role: user}, session_gap: 1d, "
        "session_keys: [user_id, channel]}"
    )
    rows = [line("ann", 0), line("ann", 1).replace("user", "mail"), line("ann", 2)]
    found = read(folder, *rows, mapping=mapping)
    assert sorted(sessions_of(found.messages).values()) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("session_gap: soon", "session_gap: 'soon' is no time such as 30min, 4h or 2d"),
        ("session_keys: [user_id]", "session_keys: session_gap is missing"),
        ("{session_gap: 4h, session_keys: [text]}", "session_keys: text: no key of a session; these are: user_id,"),
    ],
)
def test_a_wrong_session_says_where_and_what(folder, content, message):
    folder.write("a.csv", HEADER)
    with pytest.raises(SourceError, match=message):
        folder.source("a.csv", mapping=folder.write("mapping.yaml", content)).days()


def test_a_customer_as_a_conversation_is_warned_of(folder):
    """A customer mapped as the conversation gave "a median of 2 d to the first answer" without a word."""
    mapping = "{columns: {conversation_id: customer}}"
    read(folder, *(line("ann", day * 1440) for day in range(20)), mapping=mapping)
    (warning,) = folder.source("a.csv", mapping=folder.path / "mapping.yaml").summary().warnings
    assert warning.startswith("1 of 1 conversation of several messages lasts longer than 7 days, the longest 19")
    assert "session_gap" in warning


events = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["ann", "bob"]), st.integers(0, 40)), min_size=1, max_size=12
)


@pytest.mark.slow  # each example settles a mirror several times
@settings(
    max_examples=by_day_or_night(4, 60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events=events, gone=st.sets(st.integers(0, 5)))
def test_a_mirror_of_sessions_is_what_its_rows_give_from_nothing(tmp_path_factory, events, gone):
    """Rows that come, change and go, one at a time, leave the conversations that the last rows give at once."""
    mapping = FieldMapping(session_gap="4h")

    def mirror() -> Mirror:
        return Mirror(
            tmp_path_factory.mktemp("mirror"), mapping, name="nocodb", labels=("messages", ""),
            first_day=dt.date(2024, 1, 1), last_day=dt.date(2024, 1, 31),
        )  # fmt: skip

    def put(into: Mirror, *rows: tuple[int, str, int]) -> None:
        records = [
            {"Id": number, "user_id": customer, "role": "user", "text": "hi",
             "timestamp": (START + dt.timedelta(hours=hours)).isoformat()}
            for number, customer, hours in rows
        ]  # fmt: skip
        with into.opened() as opened:
            stamps = pa.array(["2024-02-01"] * len(rows), pa.string())
            opened.put(MESSAGES, to_rows(records, MESSAGES, mapping, "messages"), stamps, {"complete": True})

    def content(of: Mirror) -> dict[str, Any]:
        days = of.manifest()
        return {day: read_day(of.folder, days, day).messages.to_pylist() for day in days}

    one_by_one, at_once = mirror(), mirror()
    for event in events:
        put(one_by_one, event)
    last = {number: (number, customer, hours) for number, customer, hours in events}
    with one_by_one.opened() as opened:
        opened.delete(MESSAGES, np.array(sorted(gone & set(last)), dtype=np.int64))
    remaining = [row for number, row in sorted(last.items()) if number not in gone]
    if remaining:
        put(at_once, *remaining)
    assert content(one_by_one) == content(at_once)
