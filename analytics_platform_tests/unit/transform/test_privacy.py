"""What the clean tables keep of people."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.conversations import conversation_metrics, raw_conversations
from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.privacy import Privacy

MakeRaw = Callable[..., pa.Table]
KEY = b"a key of sixteen"
IDS = pa.chunked_array([["ann", None], ["bob", "ann"]])


def test_text_and_code_are_redacted_and_the_kinds_are_kept(make_raw: MakeRaw) -> None:
    row = clean_messages(make_raw({"text": "ask bob@example.com at 10.1.2.3 ```curl bob@example.com```"})).to_pylist()[
        0
    ]
    assert row["text"] == "ask <EMAIL> at <IP>"
    assert row["code"] == ["curl <EMAIL>"]
    assert row["pii"] == ["EMAIL", "IP"]
    assert row["character_count"] == len(row["text"])


def test_keep_counts_but_leaves_the_text(make_raw: MakeRaw) -> None:
    cleaning = Cleaning(Privacy(redact=False))
    row = clean_messages(make_raw({"text": "ask bob@example.com"}), cleaning).to_pylist()[0]
    assert (row["text"], row["pii"]) == ("ask bob@example.com", ["EMAIL"])


def test_names_are_left_unless_asked_for(make_raw: MakeRaw) -> None:
    raw = make_raw({"text": "my name is Anna Schmidt"})
    assert clean_messages(raw)["text"].to_pylist() == ["my name is Anna Schmidt"]
    asked = Cleaning(Privacy(frozenset({"NAME"})))
    assert clean_messages(raw, asked)["text"].to_pylist() == ["my name is <NAME>"]


def test_users_become_the_same_pseudonym_in_messages_and_conversations(make_raw: MakeRaw) -> None:
    raw = make_raw({"text": "hi", "user_id": "ann"})
    privacy = Privacy(key=KEY)
    messages = clean_messages(raw, Cleaning(privacy))
    user = messages["user_id"][0].as_py()
    assert user != "ann"
    assert len(user) == 32
    assert conversation_metrics(messages, raw_conversations(raw), privacy)["user_id"].to_pylist() == [user]


def test_a_pseudonym_is_stable_and_depends_on_the_key() -> None:
    first, unknown, other, again = Privacy(key=KEY).pseudonyms(IDS).to_pylist()
    assert unknown is None
    assert first == again != other
    assert Privacy(key=b"another key, as long").pseudonyms(IDS)[0].as_py() != first


def test_without_a_key_users_keep_their_ids() -> None:
    assert Privacy().pseudonyms(IDS).equals(IDS)


def test_every_choice_is_part_of_the_version_but_the_key_is_not_told() -> None:
    choices = [
        Cleaning(),
        Cleaning(detector="careful"),
        Cleaning(Privacy(redact=False)),
        Cleaning(Privacy(frozenset({"EMAIL"}))),
        Cleaning(Privacy(key=KEY)),
        Cleaning(Privacy(key=KEY + b"!")),
    ]
    assert len({choice.version for choice in choices}) == len(choices)
    assert KEY.decode() not in f"{choices[4].version}{choices[4]!r}"
