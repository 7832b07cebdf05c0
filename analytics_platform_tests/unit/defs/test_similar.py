"""The search for similar conversations through a lake: by conversation, by text, by days, and what it refuses."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from analytics_platform.insights.vectors.static_multilingual import StaticEncoder, static_encoder
from analytics_platform.model.tables.clean_tables import CONVERSATIONS, MESSAGES
from analytics_platform.model.tables.insight_tables import CONVERSATION_EMBEDDINGS
from analytics_platform.model.tables.topic_tables import DISCOVERED_TOPICS
from analytics_platform.operations.discovering.topic_list import TopicError
from analytics_platform.operations.similar import SimilarError, SimilarSearch
from analytics_platform.storage.lake import Lake

TEXTS = {
    "2024-01-01": {"ink": "the printer is out of ink", "boat": "we hire a boat for the weekend"},
    "2024-01-02": {"toner": "my printer needs toner and ink", "blank": "🦀🦀"},
    "2024-01-04": {"twin": "the printer is out of ink"},
}


class WatchedLake(Lake):
    """A lake that records how many tables of vectors are in memory at once."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake._fs, lake.root)
        self.alive: list[weakref.ref[pa.Table]] = []
        self.read_days: list[str] = []
        self.most = 0

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        table = super().read(name, key, columns)
        if name == CONVERSATION_EMBEDDINGS.name and columns and "embedding" in columns:
            self.alive.append(weakref.ref(table))
            self.read_days.append(key)
            self.most = max(self.most, sum(one() is not None for one in self.alive))
        return table


@pytest.fixture(scope="module")
def encoder() -> StaticEncoder:
    return static_encoder()


def store(lake: Lake, day: str, texts: dict[str, str], encoder: StaticEncoder, name: str | None = None) -> None:
    rows = [
        {"date": None, "conversation_id": key, "embedding": list(vector), "encoder": name or encoder.name}
        for key, vector in zip(texts, encoder.encode(list(texts.values())).astype("float16"), strict=True)
    ]
    dated = pa.Table.from_pylist(rows, schema=CONVERSATION_EMBEDDINGS.arrow_schema)
    date = pa.array([day] * len(rows)).cast(pa.date32())
    lake.write(
        CONVERSATION_EMBEDDINGS.name, day, CONVERSATION_EMBEDDINGS.conform(dated.set_column(0, "date", date)), ""
    )


@pytest.fixture
def lake(tmp_path: Path, encoder: StaticEncoder) -> WatchedLake:
    lake = WatchedLake(Lake.open(str(tmp_path)))
    for day, texts in TEXTS.items():
        store(lake, day, texts, encoder)
        lake.write(CONVERSATIONS.name, day, CONVERSATIONS.empty(), "")
    lake.write(CONVERSATIONS.name, "2024-01-03", CONVERSATIONS.empty(), "")
    return lake


@pytest.fixture
def search(lake: WatchedLake, encoder: StaticEncoder) -> SimilarSearch:
    return SimilarSearch(lake, encoder, workers=1)


def test_a_conversation_finds_its_likes_on_all_days_and_never_itself(search: SimilarSearch) -> None:
    found = search.to_conversation("ink", None, None, 10)
    assert [row.conversation_id for row in found.conversations] == ["twin", "toner", "boat"]
    assert found.conversations[0].date == "2024-01-04"
    assert found.conversations[0].similarity == 1
    assert (found.days, found.searched, found.days_without_vectors) == (3, 5, 1)


def test_only_the_days_asked_for_are_searched_also_for_a_conversation_of_another_day(
    search: SimilarSearch, lake: WatchedLake
) -> None:
    found = search.to_conversation("ink", "2024-01-02", "2024-01-02", 10)
    assert [row.conversation_id for row in found.conversations] == ["toner"]
    assert lake.read_days == ["2024-01-02"]
    assert found.days_without_vectors == 0


def test_a_text_finds_what_says_the_same_ties_by_day(search: SimilarSearch) -> None:
    found = search.to_text("The printer is out of ink!", None, None, 2)
    assert [row.conversation_id for row in found.conversations] == ["ink", "twin"]
    assert search.to_text("The printer is out of ink!", None, None, 2) == found


def test_a_topic_finds_what_is_like_its_most_central_conversations(search: SimilarSearch, lake: WatchedLake) -> None:
    row = {field.name: None for field in DISCOVERED_TOPICS.arrow_schema} | {
        "topic_id": "t-1", "topic_name": "ink", "named_by": "own words", "sentence": "No ink.",
        "parent_id": "p-1", "parent_name": "printers", "status": "in use", "is_pinned": False, "conversation_count": 2,
        "examples": ["ink", "toner", "gone"], "born_on": dt.date(2024, 1, 8),
    }  # fmt: skip
    lake.write(DISCOVERED_TOPICS.name, "", DISCOVERED_TOPICS.from_rows([row]), "")
    found = search.to_topic("t-1", None, None, 3)
    assert {one.conversation_id for one in found.conversations} == {"ink", "twin", "toner"}
    with pytest.raises(TopicError, match="t-2: is no discovered topic"):
        search.to_topic("t-2", None, None, 3)
    row["examples"] = ["gone"]
    lake.write(DISCOVERED_TOPICS.name, "", DISCOVERED_TOPICS.from_rows([row]), "")
    with pytest.raises(SimilarError, match="not stored any more"):
        search.to_topic("t-1", None, None, 3)


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_that_of_a_few_days_whatever_the_range(tmp_path: Path, encoder: StaticEncoder, workers: int) -> None:
    lake = WatchedLake(Lake.open(str(tmp_path)))
    for number in range(1, 13):
        store(lake, f"2024-02-{number:02}", {f"c{number}": f"printer number {number}"}, encoder)
    assert SimilarSearch(lake, encoder, workers).to_text("printer", None, None, 3).days == 12
    assert len(lake.read_days) == 12
    assert lake.most <= workers + 1


def test_what_is_found_is_told_with_its_topic_and_first_words(search: SimilarSearch, lake: WatchedLake) -> None:
    said = [(1, "user", "my  printer\nneeds " + "toner " * 30), (0, "agent", "hello"), (2, "user", "please")]
    row = {field.name: None for field in MESSAGES.arrow_schema}
    rows = [
        row | {"conversation_id": "toner", "message_id": str(n), "position": n, "role": role, "text": text}
        for n, role, text in said
    ]
    lake.write(MESSAGES.name, "2024-01-02", pa.Table.from_pylist(rows, schema=_nullable(MESSAGES.arrow_schema)), "")
    topics = pa.table({"conversation_id": ["blank", "toner"], "primary_topic": ["other", "printing"]})
    lake.write("conversation_insights", "2024-01-02", topics, "")
    toner, *others = search.to_text("toner", None, None, 3).conversations
    assert toner.primary_topic == "printing"
    assert toner.first_words is not None
    assert toner.first_words.startswith("my printer needs toner toner")
    assert (len(toner.first_words), toner.first_words[-1]) == (80, "…")
    assert [(row.primary_topic, row.first_words) for row in others] == [(None, None)] * 2


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def test_what_cannot_be_searched_for_is_said_in_one_line(search: SimilarSearch) -> None:
    with pytest.raises(SimilarError, match="conversation 'nobody' has no vector in the 3 days stored"):
        search.to_conversation("nobody", None, None, 3)
    with pytest.raises(SimilarError, match="conversation 'blank' of 2024-01-02 has no word that the encoder knows"):
        search.to_conversation("blank", None, None, 3)
    with pytest.raises(SimilarError, match="--text: has no word that the encoder knows"):
        search.to_text("🦀", None, None, 3)


def test_days_without_vectors_are_said_with_those_that_have_some(search: SimilarSearch) -> None:
    with pytest.raises(SimilarError, match=r"from 2024-03-01 to 2024-01-04, only from 2024-01-01 to 2024-01-04"):
        search.to_text("ink", "2024-03-01", None, 3)


def test_a_lake_without_vectors_is_refused_with_what_makes_them(tmp_path: Path, encoder: StaticEncoder) -> None:
    with pytest.raises(SimilarError, match=r"no conversation's vector is stored; `analytics run --select"):
        SimilarSearch(Lake.open(str(tmp_path)), encoder, 1).to_text("ink", None, None, 3)


def test_vectors_of_another_encoder_are_refused_by_day_and_name(
    search: SimilarSearch, lake: WatchedLake, encoder: StaticEncoder
) -> None:
    store(lake, "2024-01-02", TEXTS["2024-01-02"], encoder, name="older/1")
    for look in (search.to_text, search.to_conversation):
        with pytest.raises(SimilarError, match=r"of 2024-01-02 are of the encoder older/1, and the current one is "):
            look("toner", None, None, 3)
