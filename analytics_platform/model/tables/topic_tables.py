"""Tables of the ``topics`` group: topics that are discovered, their history, and the topic of each conversation."""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.table import BOOLEAN, DATE, INTEGER, NUMBER, STRING, Column, Table
from analytics_platform.model.tables.clean_tables import CONVERSATION_ID
from analytics_platform.model.tables.llm_tables import FAILURE_REASONS, PROMPT_VERSION
from analytics_platform.model.tables.raw_tables import DATE_COLUMN

BIRTH, SPLIT, MERGE, DEATH, RETURN = "birth", "split", "merge", "death", "return"
TOPIC_EVENTS = (
    BIRTH,
    SPLIT,
    MERGE,
    DEATH,
    RETURN,
    "renamed",
    "merged by a person",
    "moved",
    "pinned",
    "hidden",
)
BY_PERSON, BY_MODEL, BY_OWN_WORDS = "person", "model", "own words"
_STRINGS_TYPE = pa.list_(pa.field("item", STRING, nullable=False))
_CHANGES_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct(
            [
                pa.field("event", STRING, nullable=False),
                pa.field("topic_id", STRING, nullable=False),
                pa.field("other_topic_id", STRING),
                pa.field("conversations", _STRINGS_TYPE, nullable=False),
                pa.field("count", INTEGER, nullable=False),
            ]
        ),
        nullable=False,
    )
)
_SIZES_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct([pa.field("topic_id", STRING, nullable=False), pa.field("count", INTEGER, nullable=False)]),
        nullable=False,
    )
)
_OPENINGS_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct([pa.field("topic_id", STRING, nullable=False), pa.field("openings", _STRINGS_TYPE, nullable=False)]),
        nullable=False,
    )
)

_EPOCH = Column(
    "epoch", DATE, "Monday from which the topics are in force; of the first epoch, the last day that it reads."
)
_TOPIC_ID = Column("topic_id", STRING, "Identifier of the topic: a hash of founding conversations; it never changes.")
_BORN_ON = Column("born_on", DATE, "Epoch at which the topic was born or split off.")
_TOPIC_NAME = Column(
    "topic_name",
    STRING,
    "Name by a person; else, where an LLM names topics, its name; else up to three terms of the topic's conversations.",
)
_PARENT_ID = Column("parent_id", STRING, "Identifier of the parent, the group of topics that the topic belongs to.")
_PARENT_NAME = Column("parent_name", STRING, "Name by a person, or of its largest topics: their names or first terms.")


def _optional(column: Column) -> Column:
    return Column(column.name, column.type, f"{column.doc[:-1]}; null when the conversation fits nowhere.", True)


TOPIC_EPOCHS = Table(
    name="topic_epochs",
    grain="one row per epoch: a point in time at which new topics are looked for",
    columns=(
        _EPOCH,
        Column("first_day", DATE, "First UTC day that the epoch is computed from."),
        Column("last_day", DATE, "Last UTC day that the epoch is computed from, inclusive."),
        Column("conversation_count", INTEGER, "Number of conversations with a vector on these days.", minimum=0),
        Column("outlier_count", INTEGER, "Number of these conversations that fit nowhere.", minimum=0),
        Column("changes", _CHANGES_TYPE, "What happened to topics, as topic_genealogy has it."),
        Column("sizes", _SIZES_TYPE, "Number of these conversations by topic, before merges."),
        Column(
            "openings",
            _OPENINGS_TYPE,
            "How conversations of each topic born at the epoch begin: at most ten openings a topic, the most central "
            "first, each of at most 160 characters; personal data is replaced by its kind.",
        ),
        Column("fingerprint", STRING, "Hash of the code, the days and the epochs before; equal means equal content."),
        Column(
            "topics_version", STRING, "Hash of the topics in force, of the content and changes of all epochs so far."
        ),
        Column("content", pa.binary(), "The topics born at the epoch, in the format safetensors, compressed."),
    ),
    key=("epoch",),
)

TOPIC_NAMES = Table(
    name="topic_names",
    grain="one row per topic that was ever discovered, where an LLM names topics; without an LLM there are no rows",
    columns=(
        _TOPIC_ID,
        _BORN_ON,
        Column(
            "name",
            STRING,
            "Name by the LLM, of one to five words; in brackets follow terms of the topic if an earlier topic has the "
            "same name; null without an answer.",
            nullable=True,
        ),
        Column(
            "sentence",
            STRING,
            "Sentence by the LLM that says what the topic's conversations are about; null without an answer.",
            nullable=True,
        ),
        Column(
            "failure",
            STRING,
            "Why the topic has no name by the LLM; null when it has one.",
            nullable=True,
            allowed=FAILURE_REASONS,
        ),
        Column(
            "will_retry",
            BOOLEAN,
            "Whether the next run asks again; false for a topic with a name, and when the failure is final for this "
            "model and prompt.",
        ),
        Column("model", STRING, "Name of the LLM that was asked."),
        PROMPT_VERSION,
    ),
    key=("topic_id",),
)

DISCOVERED_TOPICS = Table(
    name="discovered_topics",
    grain="one row per topic that was ever discovered",
    columns=(
        _TOPIC_ID,
        _TOPIC_NAME,
        Column(
            "named_by",
            STRING,
            "Who gave the name: a person, the LLM (model), or nobody, so that it is terms of the topic (own words).",
            allowed=frozenset({BY_PERSON, BY_MODEL, BY_OWN_WORDS}),
        ),
        Column(
            "sentence",
            STRING,
            "What the conversations are about, by the LLM; without one, the sentence with most of the topic's terms "
            "from its ten most central conversations at the birth. Personal data is replaced by its kind.",
        ),
        _PARENT_ID,
        _PARENT_NAME,
        _BORN_ON,
        Column(
            "status",
            STRING,
            "In use; dead without a conversation in the 28 days before the last epoch; merged into another topic; or "
            "hidden by a person.",
            allowed=frozenset({"in use", "dead", "merged", "hidden"}),
        ),
        Column(
            "merged_into",
            STRING,
            "Topic that stands for this one; null for a topic that was not merged.",
            nullable=True,
        ),
        Column("is_pinned", BOOLEAN, "Whether a person keeps the topic: it neither dies nor is merged by itself."),
        Column(
            "conversation_count",
            INTEGER,
            "Number of conversations on the days that the last epoch was computed from: the 28 days before it.",
            minimum=0,
        ),
        Column("examples", _STRINGS_TYPE, "Identifiers of the most central conversations at the birth; at most ten."),
    ),
    key=("topic_id",),
)

TOPIC_GENEALOGY = Table(
    name="topic_genealogy",
    grain="one row per event in the life of a topic",
    columns=(
        Column(
            "event_date",
            DATE,
            "Epoch of the event; of a person's change, the date in the file of topics, else the topic's birth.",
        ),
        Column(
            "event",
            STRING,
            "Birth; split off from other_topic_id; merge into other_topic_id; death; return; or a person's change.",
            allowed=frozenset(TOPIC_EVENTS),
        ),
        Column("topic_id", STRING, "Topic that the event is about."),
        Column(
            "other_topic_id",
            STRING,
            "Topic that it split off from or was merged into, or parent that it was moved to; null for other events.",
            nullable=True,
        ),
        Column("conversation_count", INTEGER, "Number of conversations concerned.", minimum=0),
        Column("conversations", _STRINGS_TYPE, "Identifiers of these conversations, most central first; at most 50."),
    ),
    key=("event_date", "topic_id", "event"),
)

CONVERSATION_TOPICS = Table(
    name="conversation_topics",
    grain="one row per conversation",
    columns=(
        DATE_COLUMN,
        CONVERSATION_ID,
        _optional(Column("topic_id", STRING, "Identifier of the discovered topic.")),
        _optional(_TOPIC_NAME),
        _optional(_PARENT_ID),
        _optional(_PARENT_NAME),
        Column(
            "topic_confidence",
            NUMBER,
            "Expected share of the nearest conversations that have the same discovered topic; 0 when the conversation "
            "fits nowhere.",
            minimum=0,
            maximum=1,
        ),
    ),
    key=("conversation_id",),
)
