"""The insight engine: tables of messages in, tables of vectors, labels and reasons out.

The engine selects tier and device, and converts a tier's answers to the tables of ``model.tables.insight_tables``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from numpy.typing import NDArray

from analytics_platform.insights import merge_llm_labels
from analytics_platform.insights.encoders.blas_threads import one_blas_thread
from analytics_platform.insights.encoders.device import DeviceChoice, resolve_device
from analytics_platform.insights.encoders.words import split_words
from analytics_platform.insights.grouping import Conversations, join_messages
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.keeping.kept_classifiers import NOT_KEPT, KeptClassifiers
from analytics_platform.insights.label_columns import polarity, rounded, topics_array
from analytics_platform.insights.learning.training_files import NOTHING, Training
from analytics_platform.insights.taxonomies.label_rules import RuleBook
from analytics_platform.insights.taxonomies.taxonomy import OTHER, REMAINDERS, Taxonomy, TaxonomyParts, load_taxonomy
from analytics_platform.insights.tiers.conversation_sentiment import ConversationSentiment, degree_of_feeling
from analytics_platform.insights.tiers.conversation_topics import ConversationTopics
from analytics_platform.insights.tiers.decisions import DECIMALS, Decision, reasons_array
from analytics_platform.insights.tiers.label_versions import engine_version, label_versions
from analytics_platform.insights.tiers.static import StaticTier
from analytics_platform.insights.tiers.subjects import TopicsOfSubjects
from analytics_platform.insights.tiers.tier import (
    Classified,
    Documents,
    Floats,
    Ints,
    Kind,
    Labeller,
    Tier,
    require_tier,
)
from analytics_platform.insights.tiers.transformer_tier import TransformerTier
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder, static_encoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder, transformer_encoder
from analytics_platform.insights.vectors.unit_length import unit
from analytics_platform.insights.verdicts.judge import OutcomeJudge, Verdicts
from analytics_platform.insights.verdicts.stakes import Stakes
from analytics_platform.model.tables.insight_tables import (
    CONVERSATION_INSIGHTS,
    EMBEDDING_DIMENSIONS,
    MESSAGE_EMBEDDINGS,
    MESSAGE_INSIGHTS,
)
from analytics_platform.model.word_sets.markers import without_markers

_SPEAKING_ROLES = ("user", "assistant", "agent")


class InsightEngine:
    """Labels one day's messages and conversations; safe to share between threads.

    Args:
        tier: The tier that classifies documents.
        encoder: Makes the stored vectors.
        taxonomy: Names the labels.
        device: Device of the computation, ``"cpu"`` or ``"gpu"``.
        training: The labelled texts that the tier learnt from.
        model: What corrections taught; None without.
    """

    def __init__(
        self,
        tier: Tier,
        encoder: StaticEncoder,
        taxonomy: Taxonomy,
        device: str,
        training: Training = NOTHING,
        model: LabelModel | None = None,
    ) -> None:
        self.tier = tier
        self.encoder = encoder
        self.taxonomy = taxonomy
        self.device = device
        self.training = training
        self._rules = RuleBook(taxonomy.rules)
        self._outcomes = OutcomeJudge(taxonomy, self.transformer, model.taught() if model else None)

    @property
    def transformer(self) -> TextEncoder | None:
        """The transformer of the tier; None for a tier without one."""
        return self.tier.transformer if isinstance(self.tier, TransformerTier) else None

    @cached_property
    def version(self) -> str:
        """Hash of everything that the labels depend on: taxonomy, encoder, weights and code."""
        return engine_version(self.tier.name, self.tier.version)

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions that the labels depend on, by name; ``engine`` is the hash of all of them, including the code."""
        return label_versions(self.tier.name, self.tier.version, self.taxonomy, self.training)

    @one_blas_thread()
    def embed_messages(self, messages: pa.Table) -> pa.Table:
        """Return ``MESSAGE_EMBEDDINGS`` for the messages that say something and come from a person or an assistant.

        A message of markers alone, such as ``[image]``, says nothing.

        Args:
            messages: A ``MESSAGES`` table; only date, ids, role and text are used.
        """
        speaks = pc.is_in(messages["role"], value_set=pa.array(_SPEAKING_ROLES))
        has_text = pc.not_equal(pc.utf8_trim_whitespace(without_markers(messages["text"])), "")
        spoken = messages.filter(pc.and_(speaks, has_text)).select(["date", "conversation_id", "message_id", "text"])
        vectors = self.encoder.encode(spoken["text"]).astype(np.float16)
        embedding = pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), type=MESSAGE_EMBEDDINGS.column("embedding").type
        )
        table = spoken.drop_columns("text").append_column("embedding", embedding)
        return MESSAGE_EMBEDDINGS.conform(table.append_column("encoder", pa.repeat(self.encoder.name, len(table))))

    @one_blas_thread()
    def label_messages(self, messages: pa.Table, message_embeddings: pa.Table) -> pa.Table:
        """Return ``MESSAGE_INSIGHTS``, one row per row of ``message_embeddings``.

        Args:
            messages: The ``MESSAGES`` table of the embedded messages.
            message_embeddings: From ``embed_messages``.
        """
        said = join_messages(message_embeddings, messages, ("text", "role"))
        first, place = _distinct(said)
        labels = self._label(said.take(first)).take(place)
        ids = said.select(["date", "conversation_id", "message_id"])
        return MESSAGE_INSIGHTS.conform(
            pa.table({name: table[name] for table in (ids, labels) for name in table.column_names})
        )

    def _label(self, said: pa.Table) -> pa.Table:
        """Return the labels of messages.

        Args:
            said: Columns embedding, text and role of the messages.
        """
        documents = _documents(said)
        fires = self._rules.find(said, documents.words)
        of_message: tuple[Kind, ...] = ("sentiment", "intent")
        sentiment, intent = (Decision.of(kind, documents, self.tier, self._rules, fires) for kind in of_message)
        topic = Decision.of("topic", documents, self._topics_beside(intent), self._rules, fires)
        columns = {
            "sentiment": rounded(polarity(sentiment.answer)),
            "sentiment_confidence": rounded(sentiment.best),
            "intent": intent.label,
            "intent_confidence": rounded(intent.best),
            "topics": topics_array(topic.answer),
            "tier": pa.repeat(self.tier.name, len(said)),
        }
        return pa.table(columns)

    @one_blas_thread()
    def label_conversations(
        self,
        messages: pa.Table,
        message_embeddings: pa.Table,
        message_insights: pa.Table,
        resolved: pa.Table | None = None,
        answers: pa.Table | None = None,
        corrected: Callable[[pa.Array], Mapping[Kind, pa.Array]] | None = None,
    ) -> pa.Table:
        """Return ``CONVERSATION_INSIGHTS``, exactly one row per conversation in ``messages``.

        Args:
            messages: A ``MESSAGES`` table.
            message_embeddings: From ``embed_messages``.
            message_insights: From ``label_messages``.
            resolved: Columns conversation_id and resolved of ``CONVERSATIONS``: outcomes that the source states, which
                override the tier's resolution. None if the source states none.
            answers: ``LLM_INSIGHTS`` of some of the conversations. Their labels override the tier's labels, but not a
                stated outcome, and not labels of rules that force or forbid. None without an LLM.
            corrected: Takes conversation ids; returns by kind the label that a person gave each conversation, null for
                none. These labels override all others. None without corrections.
        """
        said, conversations, parts = self._group(messages, message_embeddings, message_insights)
        at_message = self._rules.find(said, parts.words, conversations.endings(said["intent"], self._passing))
        fires = conversations.gather(at_message)
        states = {"resolution": _stated(conversations.ids, resolved)}
        by_person = corrected(conversations.ids) if corrected else {}
        grouped = self._regroup(said, conversations, parts)
        classifiers: dict[Kind, Labeller] = dict.fromkeys(grouped, self.tier)

        def decide(kind: Kind) -> Decision:
            return Decision.of(
                kind, grouped[kind], classifiers[kind], self._rules, fires, states.get(kind), by_person.get(kind)
            )

        classifiers["sentiment"] = ConversationSentiment.of(self.tier, said, conversations, parts, self.transformer)
        intent, sentiment = decide("intent"), decide("sentiment")
        classifiers["topic"] = self._topics_beside(intent, ConversationTopics(self.tier))
        topic = decide("topic")
        stakes = Stakes.of(self.taxonomy, topic, intent)
        classifiers.update(self._outcomes.judge(said, conversations, parts, self.tier, grouped, stakes))
        urgency, resolution = decide("urgency"), decide("resolution")
        kinds = [topic, intent, sentiment, urgency, resolution]
        rows: list[list[dict[str, object]]] = [[] for _ in range(len(conversations.ids))]
        for kind in kinds:
            kind.add_reasons(rows, said, conversations.of_message, at_message, classifiers[kind.name], self._rules)
        together = np.cbrt(np.prod([kind.best for kind in kinds[:3]], axis=0))
        columns = {
            "date": conversations.dates,
            "conversation_id": conversations.ids,
            "topics": topics_array(topic.answer, topic.chosen),
            "primary_topic": topic.label,
            "intent": intent.label,
            "intent_confidence": rounded(intent.best),
            "sentiment": rounded(np.where(sentiment.silent, 0.0, degree_of_feeling(sentiment.answer))),
            "sentiment_confidence": rounded(sentiment.best),
            "sentiment_change": pc.round(conversations.change(said["sentiment"].to_numpy()), DECIMALS),
            "urgency": urgency.label,
            "urgency_confidence": rounded(urgency.best),
            "resolution": resolution.label,
            "resolution_confidence": rounded(resolution.best),
            "confidence": rounded(together),
            "reasons": reasons_array(rows),
            "tier": pa.repeat(self.tier.name, len(conversations.ids)),
            "taxonomy_version": pa.repeat(self.taxonomy.version, len(conversations.ids)),
        }
        own = pa.table(columns)
        if answers is None:
            return CONVERSATION_INSIGHTS.conform(own)
        return merge_llm_labels.merge_llm_labels(
            own, answers, {kind.name: kind.is_overridden(self._rules) for kind in kinds}
        )

    def classify_texts(self, kind: Kind, texts: list[str]) -> Classified:
        """Return the confidence in each label of one kind for texts, each a customer's message; rules apply.

        A text without words of a person, such as an empty one or ``[image]``, has the remainder.

        Args:
            kind: Kind of label.
            texts: Any number of texts.
        """
        words = split_words(texts)
        documents = Documents.of_single(texts, words, np.asarray(unit(self.encoder.sum_words(words)), np.float32))
        rows = np.flatnonzero(has_words(texts))
        one_each = (np.ones(len(rows)), (rows, rows))
        documents = replace(documents, weights=sp.csr_matrix(one_each, shape=(len(texts), len(texts))))
        said = pa.table({"role": pa.repeat("user", len(texts)), "text": pa.array(texts, pa.string())})
        fires = self._rules.find(said, words)
        if kind != "topic" or not self._silent:
            return Decision.of(kind, documents, self.tier, self._rules, fires).answer
        intent = Decision.of("intent", documents, self.tier, self._rules, fires)
        return Decision.of(kind, documents, self._topics_beside(intent), self._rules, fires).answer

    def conversation_documents(self, messages: pa.Table) -> tuple[pa.Array, dict[Kind, Documents]]:
        """Return the ids of the conversations in ``messages``, and the conversations' documents for each kind of label.

        Args:
            messages: As for ``label_conversations``.
        """
        said, conversations, parts = self.group(messages)
        return conversations.ids, self._regroup(said, conversations, parts)

    def judge_outcomes(self, messages: pa.Table) -> dict[Kind, Verdicts]:
        """Return urgency and resolution of the conversations in ``messages``, before the taxonomy's rules for them.

        The order of the conversations is that of ``conversation_documents``.

        Args:
            messages: As for ``label_conversations``.
        """
        said, conversations, parts, grouped, stakes = self._with_stakes(messages)
        return self._outcomes.judge(said, conversations, parts, self.tier, grouped, stakes)

    def resolutions_by_rules(self, messages: pa.Table) -> tuple[Classified, Floats]:
        """Return resolutions by rules alone, and the evidence of the ending that a head weighs beside them.

        The order of the conversations is that of ``conversation_documents``.

        Args:
            messages: As for ``label_conversations``.
        """
        said, conversations, parts, grouped, stakes = self._with_stakes(messages)
        outcome, _ = self._outcomes.decide(said, conversations, parts, stakes)["resolution"]
        opinion = self.tier.classify("resolution", grouped["resolution"])
        return self._outcomes.judge_by_rules("resolution", outcome, opinion), outcome.evidence

    def _with_stakes(
        self, messages: pa.Table
    ) -> tuple[pa.Table, Conversations, Documents, dict[Kind, Documents], Stakes]:
        """Return what ``group`` and ``_regroup`` do, and the stakes by labels that nobody stated or corrected."""
        said, conversations, parts = self.group(messages)
        grouped = self._regroup(said, conversations, parts)
        fires = conversations.gather(self._rules.find(said, parts.words))
        intent = Decision.of("intent", grouped["intent"], self.tier, self._rules, fires)
        topics = self._topics_beside(intent, ConversationTopics(self.tier))
        topic = Decision.of("topic", grouped["topic"], topics, self._rules, fires)
        return said, conversations, parts, grouped, Stakes.of(self.taxonomy, topic, intent)

    def group(self, messages: pa.Table) -> tuple[pa.Table, Conversations, Documents]:
        """Return the messages with text, their conversations, and each message as a document.

        Args:
            messages: As for ``label_conversations``.
        """
        embeddings = self.embed_messages(messages)
        return self._group(messages, embeddings, self.label_messages(messages, embeddings))

    @property
    def _passing(self) -> list[str]:
        """Social intents and ``other``: they do not state what the customer came for."""
        return [*(label.label for label in self.taxonomy.intents if label.social), OTHER]

    def _topics_beside(self, intent: Decision, tier: Labeller | None = None) -> Labeller:
        """Return what labels the topics of documents whose intents are known.

        Args:
            intent: The intents.
            tier: Labels the topics before their intents are looked at; the engine's tier when None.
        """
        labeller = tier or self.tier
        return TopicsOfSubjects.of(labeller, intent.answer, self._silent) if self._silent else labeller

    @property
    def _silent(self) -> list[str]:
        """Intents with which nothing is asked, such as greetings: they have no subject."""
        return [label.label for label in self.taxonomy.intents if label.stakes == "none"]

    @staticmethod
    def _group(
        messages: pa.Table, message_embeddings: pa.Table, message_insights: pa.Table
    ) -> tuple[pa.Table, Conversations, Documents]:
        """Return the embedded messages with their labels, the conversations, and each message as a document."""
        said = join_messages(message_embeddings, messages, ("text", "role", "position"))
        said = join_messages(said, message_insights, ("intent", "sentiment"))
        return said, Conversations.of(messages, said), _documents(said)

    def _regroup(self, said: pa.Table, conversations: Conversations, parts: Documents) -> dict[Kind, Documents]:
        """Return the conversations' documents for each kind of label, in the order of the table's columns."""
        alone = self.tier.classify("urgency", parts)
        telling = 1 - alone.confidence[:, alone.labels.index(REMAINDERS["urgency"])]
        silent = np.asarray(pc.is_in(said["intent"], pa.array(self._silent, pa.string())).to_numpy(), np.bool_)
        return {
            "topic": parts.regroup(conversations.topic_weights(silent)),
            "intent": parts.regroup(conversations.intent_weights(said["intent"], self._passing)),
            "sentiment": parts.regroup(conversations.sentiment_weights()),
            "urgency": parts.regroup(conversations.urgency_weights(telling)),
            "resolution": parts.regroup(conversations.resolution_weights()),
        }


def has_words(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Tell of each text whether it has more than markers such as ``[image]``."""
    bare = pc.utf8_trim_whitespace(without_markers(pa.chunked_array([pa.array(texts, pa.string())])))
    return np.asarray(pc.not_equal(bare, "").to_numpy(), np.bool_)


def _stated(ids: pa.Array, resolved: pa.Table | None) -> pa.Array | None:
    """Return the resolution that the source states for each conversation; null if the source states none."""
    if resolved is None:
        return None
    rows = pc.index_in(ids, resolved["conversation_id"].combine_chunks())
    return pc.if_else(resolved["resolved"].combine_chunks().take(rows), "resolved", "unresolved")


def _documents(said: pa.Table) -> Documents:
    """Return each message as one document."""
    return Documents.of_single(said["text"].to_pylist(), split_words(said["text"]), _vectors(said))


def _vectors(said: pa.Table) -> NDArray[np.float16]:
    flat = said["embedding"].combine_chunks().flatten().to_numpy()
    return np.asarray(flat.reshape(len(said), EMBEDDING_DIMENSIONS))


def _distinct(said: pa.Table) -> tuple[Ints, Ints]:
    """Return the messages that differ in text or role from all before them, and each message's place among these.

    Canned answers and short replies repeat, and equal messages have equal labels. If equal texts have different
    vectors, every message is returned.

    Args:
        said: Columns embedding, text and role of the messages.
    """
    texts, roles = (said[name].combine_chunks().dictionary_encode() for name in ("text", "role"))
    keys = texts.indices.to_numpy().astype(np.int64) * max(len(roles.dictionary), 1) + roles.indices.to_numpy()
    _, first, place = np.unique(keys, return_index=True, return_inverse=True)
    vectors = _vectors(said).view(np.uint16)
    if not np.array_equal(vectors[first][place], vectors):
        first = place = np.arange(len(said))
    return first, place


@lru_cache(maxsize=8)
@one_blas_thread()  # the last digits of a fit depend on the number of threads, and labels must not
def build_engine(
    tier: str = "static",
    device: DeviceChoice = "auto",
    taxonomy_path: TaxonomyParts | None = None,
    model: LabelModel | None = None,
    training: Training = NOTHING,
    kept: KeptClassifiers = NOT_KEPT,
) -> InsightEngine:
    """Return the engine for the arguments; a process builds each engine once.

    Args:
        tier: One of ``TIERS`` except ``llm``.
        device: ``cpu`` or ``gpu``; ``auto`` uses a GPU for the transformer if one is available, and the CPU for the
            rest.
        taxonomy_path: File of labels, or packs and files that are combined in this order; the demo's pack when None.
        model: What corrections taught about this taxonomy; nothing when None.
        training: Labelled texts of this taxonomy, which teach beside its examples.
        kept: Keeps the fitted classifiers.

    Raises:
        TierError: If the tier or the device is unknown or not available.
        TaxonomyError: If the taxonomy is wrong.
        EncoderError: If the static vectors are not installed.
    """
    require_tier(tier)
    where = resolve_device(device)
    taxonomy = load_taxonomy(taxonomy_path)
    encoder = static_encoder()
    static = StaticTier(encoder, taxonomy, where, model, training, kept)
    if tier == "static":
        return InsightEngine(static, encoder, taxonomy, where.name, training, model)
    transformer = transformer_encoder(device)
    reading = TransformerTier(
        static,
        encoder,
        taxonomy,
        transformer,
        everywhere=tier == "transformer",
        model=model,
        training=training,
        kept=kept,
        device=where,
    )
    return InsightEngine(reading, encoder, taxonomy, transformer.device, training, model)
