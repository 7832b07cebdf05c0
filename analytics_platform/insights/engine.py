"""The insight engine: tables of messages in, tables of vectors, labels and reasons out.

Belongs here: choosing tier and device, and turning a tier's answers into the tables of ``model.insights``.
Does not belong here: how a tier answers (``static``), or how conversations are grouped (``grouping``).
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights import grouping
from analytics_platform.insights.device import DeviceChoice, resolve_device
from analytics_platform.insights.encoder import StaticEncoder, static_encoder
from analytics_platform.insights.grouping import Conversations, join_messages
from analytics_platform.insights.label_model import LabelModel
from analytics_platform.insights.minilm import transformer_encoder
from analytics_platform.insights.reading import ReadingTier
from analytics_platform.insights.static import StaticTier
from analytics_platform.insights.taxonomy import OTHER, Taxonomy, load_taxonomy
from analytics_platform.insights.tier import (
    KINDS,
    SENTIMENT_VALUES,
    Classified,
    Documents,
    Floats,
    Ints,
    Kind,
    Tier,
    require_tier,
)
from analytics_platform.insights.words import split_words
from analytics_platform.model.insights import (
    CONVERSATION_INSIGHTS,
    EMBEDDING_DIMENSIONS,
    MESSAGE_EMBEDDINGS,
    MESSAGE_INSIGHTS,
    REASONS_TYPE,
    TOPICS_TYPE,
)

_DECIMALS = 4
"""Stored digits: far fewer than threads and batch sizes can disturb, as many as anybody reads."""
_SPEAKING_ROLES = ("user", "assistant", "agent")
_TOPIC_THRESHOLD = 0.2
_MOST_TOPICS = 3


class InsightEngine:
    """Labels one day's messages and conversations. Safe to use from several threads.

    Args:
        tier: Answers.
        encoder: Makes the stored vectors.
        taxonomy: Names the labels.
        device: Where it computes, ``"cpu"`` or ``"gpu"``.
    """

    def __init__(self, tier: Tier, encoder: StaticEncoder, taxonomy: Taxonomy, device: str) -> None:
        self.tier = tier
        self.encoder = encoder
        self.taxonomy = taxonomy
        self.device = device

    @cached_property
    def version(self) -> str:
        """Hash of all that the labels depend on: taxonomy, encoder, weights and code."""
        code = inspect.getsource(sys.modules[__name__]) + inspect.getsource(grouping)
        return hashlib.sha256("\x1f".join((self.tier.name, self.tier.version, code)).encode()).hexdigest()[:16]

    def embed_messages(self, messages: pa.Table) -> pa.Table:
        """Return ``MESSAGE_EMBEDDINGS`` for the messages that have text and are said by a person or an assistant.

        Args:
            messages: A ``MESSAGES`` table; only date, ids, role and text are used.
        """
        speaks = pc.is_in(messages["role"], value_set=pa.array(_SPEAKING_ROLES))
        has_text = pc.not_equal(pc.utf8_trim_whitespace(messages["text"]), "")
        spoken = messages.filter(pc.and_(speaks, has_text)).select(["date", "conversation_id", "message_id", "text"])
        vectors = self.encoder.encode(spoken["text"]).astype(np.float16)
        embedding = pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), type=MESSAGE_EMBEDDINGS.column("embedding").type
        )
        table = spoken.drop_columns("text").append_column("embedding", embedding)
        return MESSAGE_EMBEDDINGS.conform(table.append_column("encoder", pa.repeat(self.encoder.name, len(table))))

    def label_messages(self, messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
        """Return ``MESSAGE_INSIGHTS``, one row per row of ``message_embeddings``.

        Args:
            messages: The ``MESSAGES`` table that the vectors were made of.
            message_embeddings: From ``embed_messages``.
        """
        said = join_messages(message_embeddings, messages, ("text",))
        documents = _documents(said)
        sentiment, intent = self._decide("sentiment", documents), self._decide("intent", documents)
        columns = {
            **{name: said[name] for name in ("date", "conversation_id", "message_id")},
            "sentiment": _rounded(_polarity(sentiment.answer)),
            "sentiment_confidence": _rounded(sentiment.best),
            "intent": intent.label,
            "intent_confidence": _rounded(intent.best),
            "topics": _topics(self.tier.classify("topic", documents)),
            "tier": pa.repeat(self.tier.name, len(said)),
        }
        return MESSAGE_INSIGHTS.conform(pa.table(columns))

    def label_conversations(
        self, messages: pa.Table, message_embeddings: pa.Table, message_insights: pa.Table
    ) -> pa.Table:
        """Return ``CONVERSATION_INSIGHTS``, exactly one row per conversation in ``messages``.

        Args:
            messages: A ``MESSAGES`` table.
            message_embeddings: From ``embed_messages``.
            message_insights: From ``label_messages``.
        """
        said, conversations, documents = self._group(messages, message_embeddings, message_insights)
        topic, intent, sentiment = (self._decide(kind, documents[kind]) for kind in KINDS)
        kinds = (topic, intent, sentiment)
        together = np.cbrt(np.prod([kind.best for kind in kinds], axis=0))
        columns = {
            "date": conversations.dates,
            "conversation_id": conversations.ids,
            "topics": _topics(topic.answer),
            "primary_topic": topic.label,
            "intent": intent.label,
            "intent_confidence": _rounded(intent.best),
            "sentiment": _rounded(np.where(sentiment.silent, 0.0, _polarity(sentiment.answer))),
            "sentiment_confidence": _rounded(sentiment.best),
            "confidence": _rounded(together),
            "reasons": self._reasons(said["message_id"].to_pylist(), kinds),
            "tier": pa.repeat(self.tier.name, len(conversations.ids)),
            "taxonomy_version": pa.repeat(self.taxonomy.version, len(conversations.ids)),
        }
        return CONVERSATION_INSIGHTS.conform(pa.table(columns))

    def conversation_documents(self, messages: pa.Table) -> tuple[pa.Array, dict[Kind, Documents]]:
        """Return the conversations in ``messages``, and each as the document that decides each kind of label.

        Args:
            messages: As for ``label_conversations``.
        """
        embeddings = self.embed_messages(messages)
        _, conversations, documents = self._group(messages, embeddings, self.label_messages(messages, embeddings))
        return conversations.ids, documents

    def _group(
        self, messages: pa.Table, message_embeddings: pa.Table, message_insights: pa.Table
    ) -> tuple[pa.Table, Conversations, dict[Kind, Documents]]:
        """Return what was said with its texts, the conversations, and each as a document for each kind of label."""
        said = join_messages(message_embeddings, messages, ("text", "role", "position"))
        said = join_messages(said, message_insights, ("intent",))
        conversations = Conversations.of(messages, said)
        passing = [*(label.label for label in self.taxonomy.intents if label.social), OTHER]
        parts = _documents(said)
        documents: dict[Kind, Documents] = {
            "topic": parts.regroup(conversations.topic_weights()),
            "intent": parts.regroup(conversations.intent_weights(said["intent"], passing)),
            "sentiment": parts.regroup(conversations.sentiment_weights()),
        }
        return said, conversations, documents

    def _decide(self, kind: Kind, documents: Documents) -> _Decision:
        return _Decision(kind, documents, self.tier.classify(kind, documents))

    def _reasons(self, message_ids: list[str], kinds: tuple[_Decision, ...]) -> pa.Array:
        """Return the list of reasons of each document, in the order of the kinds."""
        rows: list[list[dict[str, object]]] = [[] for _ in kinds[0].chosen]
        for kind in kinds:
            reasons = self.tier.explain(kind.name, kind.documents, kind.chosen)
            for row, column, reason in zip(rows, kind.chosen, reasons, strict=True):
                if reason is not None:
                    row.append(
                        {
                            "kind": kind.name,
                            "label": kind.answer.labels[column],
                            "message_id": message_ids[reason.part],
                            "words": list(reason.words),
                            "weight": round(reason.weight, _DECIMALS),
                        }
                    )
        return pa.array(rows, REASONS_TYPE)


@dataclass(frozen=True)
class _Decision:
    """One kind of label for a set of documents."""

    name: Kind
    documents: Documents
    answer: Classified

    @cached_property
    def chosen(self) -> Ints:
        """Column of the most confident label per document; digits beyond the stored ones break no tie."""
        return np.asarray(np.round(self.answer.confidence, 9).argmax(axis=1), np.int64)

    @cached_property
    def silent(self) -> np.ndarray:
        """Whether a document has nothing to judge by."""
        return np.asarray(self.documents.weights.getnnz(axis=1) == 0)

    @cached_property
    def best(self) -> Floats:
        """Confidence in the chosen label; 0 where there is nothing to judge by."""
        confidence = self.answer.confidence[np.arange(len(self.chosen)), self.chosen]
        return np.where(self.silent, 0.0, confidence)

    @cached_property
    def label(self) -> pa.Array:
        """Name of the chosen label per document."""
        return pa.array(self.answer.labels, pa.string()).take(pa.array(self.chosen))


def _documents(said: pa.Table) -> Documents:
    """Return each message as a document of its own."""
    flat = said["embedding"].combine_chunks().flatten().to_numpy()
    vectors = flat.reshape(len(said), EMBEDDING_DIMENSIONS)
    return Documents.of_single(said["text"].to_pylist(), split_words(said["text"]), vectors)


def _polarity(answer: Classified) -> Floats:
    return answer.confidence @ [SENTIMENT_VALUES[label] for label in answer.labels]


def _rounded(values: Floats) -> Floats:
    return np.round(values, _DECIMALS) + 0.0  # no negative zero


def _topics(answer: Classified) -> pa.Array:
    """Return the labels worth naming of each document with their confidence, most confident first."""
    confidence = _rounded(answer.confidence)
    named = np.array([label != OTHER for label in answer.labels])
    order = np.argsort(-np.where(named, confidence, -1.0), axis=1, kind="stable")[:, :_MOST_TOPICS]
    top = np.take_along_axis(confidence, order, axis=1)
    keep = (top >= _TOPIC_THRESHOLD) & named[order]
    offsets = np.concatenate(([0], np.cumsum(keep.sum(axis=1)))).astype(np.int32)
    labels = pa.array(answer.labels, pa.string()).take(pa.array(order[keep]))
    items = pa.StructArray.from_arrays([labels, pa.array(top[keep])], fields=list(TOPICS_TYPE.value_type))
    return pa.ListArray.from_arrays(offsets, items, type=TOPICS_TYPE)


@lru_cache(maxsize=8)
def build_engine(
    tier: str = "static",
    device: DeviceChoice = "auto",
    taxonomy_path: Path | None = None,
    model: LabelModel | None = None,
) -> InsightEngine:
    """Build the engine, or return the one this process built before for the same arguments.

    Args:
        tier: One of ``TIERS``; this version has all but ``llm``.
        device: ``cpu`` computes on the CPU, ``gpu`` insists on a GPU; ``auto`` takes a GPU for the transformer when one
            answers, and the CPU for the rest.
        taxonomy_path: YAML file of labels; the one shipped when None.
        model: Trained heads of the static tier, for this taxonomy; the default ones when None.

    Raises:
        TierError: If the tier or the device is unknown or not available.
        TaxonomyError: If the taxonomy is wrong.
        EncoderError: If the static vectors are not installed.
    """
    require_tier(tier)
    where = resolve_device(device)
    taxonomy = load_taxonomy(taxonomy_path)
    encoder = static_encoder()
    static = StaticTier(encoder, taxonomy, where, model)
    if tier == "static":
        return InsightEngine(static, encoder, taxonomy, where.name)
    transformer = transformer_encoder(device)
    reading = ReadingTier(static, encoder, taxonomy, transformer, everywhere=tier == "transformer")
    return InsightEngine(reading, encoder, taxonomy, transformer.device)
