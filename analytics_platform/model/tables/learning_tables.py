"""Tables of the ``learning`` group: corrections, gold labels, models, and evaluations of models.

A model is a row whose last column holds its file. A table row is replaced atomically, on disk and on S3, and its stored
partition records what the model was computed from, as for every other table.
"""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model.table import INTEGER, NUMBER, STRING, TIMESTAMP, Column, Table

SAID_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct([pa.field("role", STRING, nullable=False), pa.field("text", STRING, nullable=False)]),
        nullable=False,
    )
)
OUTCOMES_TYPE = pa.list_(
    pa.field(
        "item",
        pa.struct(
            [
                pa.field("item", STRING, nullable=False),
                pa.field("truth", STRING, nullable=False),
                pa.field("answer", STRING, nullable=False),
                pa.field("confidence", NUMBER, nullable=False),
            ]
        ),
        nullable=False,
    )
)
KINDS = frozenset({"topic", "intent", "sentiment"})
_KIND = Column("kind", STRING, "Kind of label.", allowed=KINDS)
_MODEL_ID = Column("model_id", STRING, "Identifier of the model: the hash of its file.")

LABEL_FEEDBACK = Table(
    name="label_feedback",
    grain="one row per correction of a label by a person, and per labelled conversation of a file",
    columns=(
        Column(
            "feedback_id",
            STRING,
            "Identifier of the label: its _id in MongoDB, the file's name and the row, the same behind the word "
            "training for a labelled file, or nocodb and the row's Id.",
        ),
        Column(
            "origin",
            STRING,
            "Where the label comes from: a correction in MongoDB, of `analytics correct` (command), in a NocoDB table "
            "or in a file of corrections (file), or a row of a labelled file (training).",
            allowed=frozenset({"mongodb", "command", "nocodb", "file", "training"}),
        ),
        Column(
            "conversation_id",
            STRING,
            "Conversation whose label is corrected; null when the correction names only a message.",
            nullable=True,
        ),
        Column(
            "message_id",
            STRING,
            "Message whose label is corrected; null when the label of the whole conversation is.",
            nullable=True,
        ),
        Column(
            "kind",
            STRING,
            "Kind of label that is corrected: topic, intent, sentiment, urgency or resolution; null when the "
            "correction names none.",
            nullable=True,
        ),
        Column("label", STRING, "Right label; null when the correction names none.", nullable=True),
        Column("author", STRING, "Who made the correction; null when not given.", nullable=True),
        Column("corrected_at", TIMESTAMP, "Time of the correction, UTC; null when not given.", nullable=True),
        Column("note", STRING, "Why the label is wrong, in the author's words; null when not given.", nullable=True),
        Column(
            "status",
            STRING,
            "Use of the correction: models learn from it (training), are judged by it (gold), a later "
            "correction or a shipped gold label takes its place (superseded), or it is invalid (quarantined). "
            "Whatever its use, "
            "the latest valid correction of a conversation is the conversation's label.",
            allowed=frozenset({"training", "gold", "superseded", "quarantined"}),
        ),
        Column(
            "reason", STRING, "Why the correction is invalid; null unless its status is quarantined.", nullable=True
        ),
        Column(
            "messages",
            SAID_TYPE,
            "Cleaned messages that the correction is about, each with its role; empty when they are not stored.",
        ),
    ),
    key=("feedback_id",),
)

GOLD_LABELS = Table(
    name="gold_labels",
    grain="one row per item and kind of label that models are judged by and never learn from",
    columns=(
        Column("item", STRING, "Identifier of the conversation or message that is labelled."),
        _KIND,
        Column("label", STRING, "Right label; other when no label of the taxonomy fits."),
        Column(
            "source",
            STRING,
            "Where the label comes from: shipped (part of the platform), feedback (a correction) or training "
            "(a labelled file).",
        ),
        Column("messages", SAID_TYPE, "Cleaned messages of the item, each with its role."),
    ),
    key=("item", "kind"),
)

LLM_LESSONS = Table(
    name="llm_lessons",
    grain="one row per conversation and kind of label that a model may learn from an LLM's answer",
    columns=(
        Column("item", STRING, "Identifier of the conversation."),
        _KIND,
        Column("label", STRING, "Label that the LLM gave."),
        Column("source", STRING, "Where the label comes from: llm in every row."),
        Column("messages", SAID_TYPE, "Cleaned messages of the conversation, each with its role."),
    ),
    key=("item", "kind"),
)

_MODEL_COLUMNS = (
    _MODEL_ID,
    Column("taxonomy_version", STRING, "Hash of the taxonomy whose labels the model gives."),
    Column("encoder", STRING, "Name and version of the encoder whose vectors the model reads."),
    Column("corrections", INTEGER, "Number of corrections and other labels that the model was fitted on.", minimum=0),
    Column("content", pa.binary(), "File of the model, in the format safetensors."),
)
CANDIDATE_MODEL = Table(
    name="candidate_model", grain="one row per model: the one fitted last", columns=_MODEL_COLUMNS, key=("model_id",)
)
PROMOTED_MODEL = Table(
    name="promoted_model", grain="one row per model: the one that labels", columns=_MODEL_COLUMNS, key=("model_id",)
)

MODEL_EVALUATION = Table(
    name="model_evaluation",
    grain="one row per model, kind of label, set of gold labels and time of evaluation",
    columns=(
        Column("evaluated_at", TIMESTAMP, "Time of the evaluation, UTC."),
        _MODEL_ID,
        _KIND,
        Column("gold_version", STRING, "Hash of the gold labels."),
        Column(
            "engine_version",
            STRING,
            "Hash of the engine that answered: model, tier and code; null for evaluations from before "
            "this column existed.",
            nullable=True,
        ),
        Column("taxonomy_version", STRING, "Hash of the taxonomy."),
        Column("corrections", INTEGER, "Number of corrections that the model was fitted on.", minimum=0),
        Column("items", INTEGER, "Number of gold labels of this kind.", minimum=1),
        Column("accuracy", NUMBER, "Share of the gold labels that the model gives.", minimum=0, maximum=1),
        Column(
            "macro_f1",
            NUMBER,
            "Mean of the F1 scores of all labels that occur among the gold labels.",
            minimum=0,
            maximum=1,
        ),
        Column(
            "ece",
            NUMBER,
            "Expected calibration error: mean difference between confidence and share of right answers.",
            minimum=0,
            maximum=1,
        ),
        Column("outcomes", OUTCOMES_TYPE, "Right label, answer and confidence of each item."),
    ),
    key=("model_id", "kind", "gold_version", "evaluated_at"),
    order=("evaluated_at",),
)
