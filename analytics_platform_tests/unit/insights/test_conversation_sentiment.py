from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.grouping import Conversations
from analytics_platform.insights.tiers.conversation_sentiment import degree_of_feeling
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Classified


def messages_of(conversations: Sequence[Sequence[tuple[str, str]]]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "date": dt.date(2026, 1, 1),
                "conversation_id": f"c{number}",
                "message_id": f"c{number}/{place}",
                "position": place,
                "role": role,
                "text": text,
            }
            for number, turns in enumerate(conversations)
            for place, (role, text) in enumerate(turns)
        ]
    )


MANNERS = (
    "Many thanks for everything and all the best!",
    "Vielen Dank und ein schönes Wochenende",
    "gracias por su ayuda, un saludo",
    "どうもありがとうございました",
)
FEELINGS = (
    ("i have had enough, this is a disgrace and i am furious", -1),
    ("ich bin sehr enttäuscht und wütend, das ist eine Frechheit", -1),
    ("i am overjoyed, this is the best thing ever", 1),
    ("ich bin überglücklich, einfach fantastisch!", 1),
)


def test_manners_are_no_feeling_and_feelings_are() -> None:
    """Thanks at the end of a service talk made three in ten neutral conversations happy."""
    engine = build_engine(taxonomy_path=("general",))
    talk = [("user", "how do i change my delivery address?"), ("assistant", "Under Profile, Addresses.")]
    polite = [[*talk, ("user", text)] for text in MANNERS]
    messages = messages_of([*polite, *([("user", text)] for text, _ in FEELINGS)])
    embeddings = engine.embed_messages(messages)
    insights = engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings))
    sentiments = insights["sentiment"].to_pylist()
    assert max(map(abs, sentiments[: len(MANNERS)])) < 0.15
    for value, (_, sign) in zip(sentiments[len(MANNERS) :], FEELINGS, strict=True):
        assert value * sign > 0.25


def test_the_reason_is_a_message_that_was_read() -> None:
    """The reason quoted the angriest message, also one in the middle that the sentiment does not depend on."""
    texts = [
        "i have had enough, this is a disgrace and i am furious",
        "how do i cancel my order?",
        "terrible, awful, horrible, the worst, i hate it, hate it",
        "which page is it on?",
        "where is the button?",
    ]
    messages = messages_of([[("user", text) for text in texts]])
    engine = build_engine(taxonomy_path=("general",))
    embeddings = engine.embed_messages(messages)
    [row] = engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings)).to_pylist()
    [reason] = [one for one in row["reasons"] if one["kind"] == "sentiment" and one["rule"] is None]
    assert (reason["label"], reason["message_id"]) == ("negative", "c0/0")
    assert {"furious", "disgrace"} & set(reason["words"])


@pytest.mark.parametrize(
    ("probabilities", "degree"),
    [((0, 1, 0), 0), ((0, 0.5, 0.5), 0.2), ((0.5, 0.5, 0), -0.2), ((0.5, 0, 0.5), 0), ((0, 0, 1), 1), ((1, 0, 0), -1)],
)
def test_a_feeling_as_probable_as_none_has_a_degree_between_the_bounds_of_reports(
    probabilities: tuple[float, float, float], degree: float
) -> None:
    answer = Classified(tuple(SENTIMENT_VALUES), np.array([probabilities]))
    np.testing.assert_allclose(degree_of_feeling(answer), degree, atol=1e-9)


def test_the_first_and_last_messages_of_the_customer_are_chosen_in_their_order() -> None:
    by_customer = np.array([True, False, True, True, True, True, False, True])
    of_message = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    position = np.array([5, 1, 4, 3, 2, 0, 0, 1])
    conversations = Conversations(pa.array([None, None]), pa.array(["a", "b"]), of_message, position, by_customer)
    assert conversations.customer_ends(2).tolist() == [5, 4, 2, 0, 7]
    assert conversations.customer_ends(9).tolist() == [5, 4, 3, 2, 0, 7]
