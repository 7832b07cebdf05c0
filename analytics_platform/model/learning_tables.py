"""Tables of the ``learning`` group: what people corrected, what models are judged by, the models, and how they did.

A model is a row whose last column holds its file: so it is replaced at once, on disk as on S3, and keeps the hashes of
what it was made of like every other table.
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
_KIND = Column("kind", STRING, "What is labelled.", allowed=KINDS)
_MODEL_ID = Column("model_id", STRING, "Hash of the model's file.")

LABEL_FEEDBACK = Table(
    name="label_feedback",
    grain="one row per correction of a label by a person",
    columns=(
        Column("feedback_id", STRING, "The correction, as its source names it."),
        Column(
            "conversation_id", STRING, "The conversation corrected; null when only a message is named.", nullable=True
        ),
        Column("message_id", STRING, "The message corrected; null when the whole conversation is.", nullable=True),
        Column("kind", STRING, "What is corrected: topic, intent or sentiment.", nullable=True),
        Column("label", STRING, "The right label.", nullable=True),
        Column("author", STRING, "Who says so.", nullable=True),
        Column("corrected_at", TIMESTAMP, "When, UTC.", nullable=True),
        Column("note", STRING, "Why, where the author wrote it down.", nullable=True),
        Column(
            "status",
            STRING,
            "Models learn from it, are judged by it, a later one or a shipped label counts instead, or it is unusable.",
            allowed=frozenset({"training", "gold", "superseded", "quarantined"}),
        ),
        Column("reason", STRING, "Why it is in quarantine; null otherwise.", nullable=True),
        Column("messages", SAID_TYPE, "What was said, as cleaned; empty when nothing was found."),
    ),
    key=("feedback_id",),
)

GOLD_LABELS = Table(
    name="gold_labels",
    grain="one row per item and kind of label that models are judged by and never learn from",
    columns=(
        Column("item", STRING, "The conversation or message."),
        _KIND,
        Column("label", STRING, "The right label; other when none fits."),
        Column("source", STRING, "Where the label comes from: shipped, or feedback."),
        Column("messages", SAID_TYPE, "What was said, as cleaned."),
    ),
    key=("item", "kind"),
)

_MODEL_COLUMNS = (
    _MODEL_ID,
    Column("taxonomy_version", STRING, "Hash of the taxonomy whose labels it gives."),
    Column("encoder", STRING, "The encoder whose vectors it reads."),
    Column("corrections", INTEGER, "Corrections that it was fitted on.", minimum=0),
    Column("content", pa.binary(), "The file, in the format safetensors."),
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
        Column("evaluated_at", TIMESTAMP, "When it was evaluated, UTC."),
        _MODEL_ID,
        _KIND,
        Column("gold_version", STRING, "Hash of the gold labels."),
        Column(
            "engine_version",
            STRING,
            "Hash of the engine that answered: model, tier and code; null where it was not kept yet.",
            nullable=True,
        ),
        Column("taxonomy_version", STRING, "Hash of the taxonomy."),
        Column("corrections", INTEGER, "Corrections that the model was fitted on.", minimum=0),
        Column("items", INTEGER, "Gold labels of this kind.", minimum=1),
        Column("accuracy", NUMBER, "Share of items answered rightly.", minimum=0, maximum=1),
        Column("macro_f1", NUMBER, "Mean F1 of the labels among the gold labels.", minimum=0, maximum=1),
        Column("ece", NUMBER, "Mean distance of confidence from the share of right answers.", minimum=0, maximum=1),
        Column("outcomes", OUTCOMES_TYPE, "Each item's right label and the model's answer."),
    ),
    key=("model_id", "kind", "gold_version", "evaluated_at"),
    order=("evaluated_at",),
)
