"""What the clean tables keep of people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_platform.transform import pii
from analytics_platform.transform.cleaning import Cleaning
from analytics_platform.transform.conversations import conversation_metrics, raw_conversations
from analytics_platform.transform.messages import clean_messages
from analytics_platform.transform.pii import sealing
from analytics_platform.transform.pii.sealing import Sealer
from analytics_platform.transform.privacy import Privacy
from analytics_platform.transform.text import clean_texts

MakeRaw = Callable[..., pa.Table]
KEY = b"a key of sixteen"
SPANS_KEY = b"a key of thirty-two characters.."
SEALING = Cleaning(Privacy(spans_key=SPANS_KEY))
SAID = [
    "ask bob@example.com 🎉 at 10.1.2.3 or 𝒳 ann@example.com ```curl bob@example.com```",
    "nothing to see",
    "run `ping 10.1.2.3` and ```ls``` and ```curl ann@example.com -u 10.9.8.7```",
    "",
    "```only code```",
]
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
        Cleaning(Privacy(spans_key=SPANS_KEY)),
        Cleaning(Privacy(spans_key=SPANS_KEY + b"!")),
        Cleaning(Privacy(key=SPANS_KEY)),
        Cleaning(Privacy(columns=frozenset({"channel"}))),
    ]
    assert len({str(choice.versions) for choice in choices}) == len(choices)
    assert KEY.decode() not in f"{choices[4].versions}{choices[4]!r}"
    assert SPANS_KEY.decode() not in f"{choices[6].versions}{choices[6]!r}"


def put_back(row: dict[str, Any]) -> tuple[str, list[str]]:
    """Return text and code of a message as they were."""
    if row["pii_spans"] is None:
        return row["text"], row["code"]
    found = Sealer(SPANS_KEY).open(row["message_id"], row["pii_spans"])
    return found.put_back(row["text"]), [found.put_back(code, piece) for piece, code in enumerate(row["code"])]


@pytest.mark.parametrize("redact", [True, False])
def test_with_a_key_text_and_code_can_be_put_back_and_only_messages_with_findings_have_any(
    make_raw: MakeRaw, redact: bool
) -> None:
    raw = make_raw(*({"text": text} for text in SAID))
    rows = clean_messages(raw, Cleaning(Privacy(redact=redact, spans_key=SPANS_KEY))).to_pylist()
    assert [row["pii_spans"] is not None for row in rows] == [True, False, True, False, False]
    plain = clean_messages(raw, Cleaning(Privacy(frozenset()))).to_pylist()
    assert [put_back(row) for row in rows] == [(row["text"], row["code"]) for row in plain]


def test_where_what_stood_is_told_of_text_and_code(make_raw: MakeRaw) -> None:
    [row] = clean_messages(make_raw({"text": SAID[2]}), SEALING).to_pylist()
    places = Sealer(SPANS_KEY).open(row["message_id"], row["pii_spans"]).places
    assert [(place.piece, place.start, place.kind, place.value) for place in places] == [
        (None, 9, "IP", "10.1.2.3"),
        (1, 5, "EMAIL", "ann@example.com"),
        (1, 24, "IP", "10.9.8.7"),
        (2, 5, "IP", "10.1.2.3"),
    ]


def test_without_a_key_nothing_is_kept_and_all_else_is_the_same(make_raw: MakeRaw) -> None:
    raw = make_raw(*({"text": text} for text in SAID))
    without, sealed = clean_messages(raw), clean_messages(raw, SEALING)
    assert without["pii_spans"].null_count == len(SAID)
    assert without.drop_columns("pii_spans").equals(sealed.drop_columns("pii_spans"))


def test_spans_are_the_same_bytes_each_time_whatever_stands_beside_them(make_raw: MakeRaw) -> None:
    raw = make_raw(*({"text": text} for text in SAID))
    whole = clean_messages(raw, SEALING)
    assert clean_messages(raw, SEALING).equals(whole)
    assert clean_messages(raw.slice(2, 1), SEALING)["pii_spans"].to_pylist() == [whole["pii_spans"][2].as_py()]


def test_each_text_is_searched_once_and_only_what_was_found_is_sealed(make_raw: MakeRaw, monkeypatch) -> None:
    searched, sealed = [], []
    find, seal = pii.find_pii, Sealer.seal
    monkeypatch.setattr(pii, "find_pii", lambda texts, kinds: searched.append(len(texts)) or find(texts, kinds))
    monkeypatch.setattr(sealing.Sealer, "seal", lambda *given: sealed.append(given[1]) or seal(*given))
    clean_messages(make_raw(*({"text": text} for text in SAID)), SEALING)
    assert searched == [5, 5]  # texts, and pieces of code
    assert sealed == ["m000", "m002"]


WORDS = st.lists(
    st.sampled_from(["hello", "bob@example.com", "10.1.2.3", "🎉𝒳", "<EMAIL>", "`a@example.com`", "www.example.com"]),
    max_size=8,
).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=30)), max_size=5))
def test_what_is_redacted_and_what_is_kept_give_the_original_of_any_text(texts: list[str]) -> None:
    ids = pa.chunked_array([[f"m{number}" for number in range(len(texts))]], pa.string())
    cleaned, code, _ = clean_texts(pa.chunked_array([texts], pa.string()))
    kept = SEALING.privacy.protect(ids, cleaned, code)
    columns = {"message_id": ids, "text": kept.texts, "code": kept.code, "pii_spans": kept.spans}
    originals = zip(cleaned.to_pylist(), code.to_pylist(), strict=True)
    assert [put_back(row) for row in pa.table(columns).to_pylist()] == list(originals)


def test_an_empty_day_needs_no_spans(make_raw: MakeRaw) -> None:
    assert clean_messages(make_raw(), SEALING).num_rows == 0


def test_columns_beside_texts_are_redacted_when_they_are_named(make_raw: MakeRaw) -> None:
    """Sources write telephone numbers into channels and names of tests after people, and no setting kept them out."""
    raw = make_raw(
        {"text": "hi", "channel": "mail of bob@example.com", "variant": "ann@example.com", "outcome": "resolved"},
        {"text": "hi", "channel": None, "variant": None},
    )
    as_it_came, kept = Cleaning(), Cleaning(Privacy(columns=frozenset({"channel", "variant"})))
    assert clean_messages(raw, as_it_came)["channel"].to_pylist() == ["mail of bob@example.com", None]

    messages = clean_messages(raw, kept)
    assert messages["channel"].to_pylist() == ["mail of <EMAIL>", None]
    conversations = conversation_metrics(messages, raw_conversations(raw), kept.privacy).to_pylist()
    assert {row["channel"] for row in conversations} == {"mail of <EMAIL>"}
    assert {row["variant"] for row in conversations} == {"<EMAIL>"}
    assert {row["outcome"] for row in conversations} == {"resolved"}
    assert (
        clean_messages(raw, Cleaning(Privacy(redact=False, columns=frozenset({"channel"}))))["channel"][0].as_py()[-3:]
        == "com"
    )
    assert kept.versions != as_it_came.versions
