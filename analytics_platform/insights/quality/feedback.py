"""Labels of conversations and messages by people: validate them, and make training documents or gold labels of them.

`defs.resources.corrections_resource` reads the corrections; `learning.standing_corrections` says which of them hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.engine import InsightEngine
from analytics_platform.insights.heads.training_sample import draw_rows
from analytics_platform.insights.heads.training_set import OUTCOME_KINDS, TAUGHT_KINDS, LabelledVectors
from analytics_platform.insights.learning.correction_rows import (
    TRAINING,
    Item,
    item_of,
    known_labels,
    label_fault,
    normalise_row,
    precedence,
)
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.examples import EXAMPLES, as_messages
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.insights.vectors.document_vectors import pool_both, read_both
from analytics_platform.model.tables.learning_tables import LABEL_FEEDBACK

CORRECTION_WEIGHT = 2.0
"""Weight of a correction in the fit, in examples of the taxonomy. Training on one half of the shipped gold labels
raised accuracy on the other half from 0.69 to 0.74 for topics and from 0.59 to 0.62 for intents; a weight of 5 or more
lowered it for intents."""
_WEIGHTS = {"training": 1.0, "llm": 1.0}
"""Weight of a label by its source, a labelled file or an LLM; any other label is a person's correction."""
_HELD_OUT = 5
"""One conversation in five, selected by the hash of its id, gives gold labels instead of training documents."""
Said = Mapping[Item, tuple[str, list[dict[str, str]]]]
"""Conversation id and messages (role and text) by item; no conversation id for a message id of several ones."""


def find_said(rows: Sequence[Mapping[str, Any]], days: Iterable[pa.Table]) -> dict[Item, Any]:
    """Look up the messages of the corrected conversations and messages.

    Args:
        rows: Corrections.
        days: ``MESSAGES`` of each day: conversation_id, message_id, position, role, text.

    Returns:
        See ``Said``; items that occur in no day are absent.
    """
    names = ("conversation_id", "message_id")
    wanted = pa.array(sorted({str(row[name]) for row in rows for name in names if row.get(name)}))
    found: dict[Item, Any] = {}
    for day in days:
        named = pc.or_(
            pc.is_in(day["conversation_id"], value_set=wanted), pc.is_in(day["message_id"], value_set=wanted)
        )
        for row in day.filter(named).sort_by([("conversation_id", "ascending"), ("position", "ascending")]).to_pylist():
            entry = {"role": row["role"], "text": row["text"]}
            conversation, message = row["conversation_id"], row["message_id"]
            whole = found.setdefault(("conversation", conversation, None), (conversation, []))
            whole[1].append(entry)
            # A single message is labelled as a customer's message.
            alone = (conversation, [{"role": "user", "text": row["text"]}])
            found["message", message, conversation] = alone
            anywhere = found.setdefault(("message", message, None), alone)
            if anywhere[0] != conversation:
                found["message", message, None] = ("", [])
    return found


def judge_feedback(
    rows: Sequence[Mapping[str, Any]], content: Taxonomy, said: Said, gold: Collection[tuple[str, str]]
) -> pa.Table:
    """Return ``LABEL_FEEDBACK``: every correction with its status.

    Of several corrections of the same item and kind, the latest counts; a shipped gold label precedes all of them. A
    fifth of the conversations, and every conversation with a shipped gold label of any kind, are held out for
    evaluation, and are never used for training. A correction counts before a row of a labelled file.

    Args:
        rows: Corrections and rows of labelled files, with ``feedback_id`` and ``origin``.
        content: The taxonomy.
        said: From ``find_said``.
        gold: Conversation and kind of each shipped gold label.
    """
    known = known_labels(content)
    reserved = {conversation for conversation, _ in gold}
    judged: list[dict[str, Any]] = []
    for row in rows:
        entry = normalise_row(row)
        reason = label_fault(entry, known) or _place_fault(entry, said)
        conversation, messages = said.get(item_of(entry), ("", []))
        held = conversation in reserved or is_held_out(conversation)
        status = "quarantined" if reason else "gold" if held else "training"
        if not reason and not entry["message_id"] and (conversation, entry["kind"]) in gold:
            status = "superseded"
        judged.append({**entry, "status": status, "reason": reason, "messages": messages})
    latest: dict[tuple[Item, str], dict[str, Any]] = {}
    usable = [entry for entry in judged if entry["status"] in ("training", "gold")]
    for entry in sorted(usable, key=precedence):
        what, identifier, _ = item_of(entry)
        item = (what, identifier, said[item_of(entry)][0])  # with its conversation, which not every correction names
        before = latest.get((item, entry["kind"]))
        if before:
            before["status"] = "superseded"
        latest[item, entry["kind"]] = entry
    return LABEL_FEEDBACK.from_rows(judged)


def as_examples(feedback: pa.Table, status: str) -> pa.Table:
    """Return the corrections of one status, such as ``training``, as ``EXAMPLES``."""
    used = feedback.filter(pc.equal(feedback["status"], status))
    return EXAMPLES.conform(
        pa.table(
            {
                "item": pc.coalesce(
                    pc.binary_join_element_wise(
                        "message", pc.coalesce(used["conversation_id"], ""), used["message_id"], ":"
                    ),
                    used["conversation_id"],
                ),
                **{name: used[name] for name in ("kind", "label", "messages")},
                "source": pc.if_else(pc.equal(used["origin"], TRAINING), TRAINING, "feedback"),
            }
        )
    )


def draw_examples(examples: pa.Table) -> tuple[pa.Table, str]:
    """Return examples that a transformer reads in bounded time, and a sentence about the examples left out.

    Args:
        examples: ``EXAMPLES``.

    Returns:
        All examples if they are within the bounds of ``training_sample``, otherwise a random choice that is the same in
        every call and keeps each label's share; and one sentence with the number of chosen examples, empty if all are
        used.
    """
    said = examples["messages"].combine_chunks()
    of_example = pc.list_parent_indices(said).to_numpy()
    characters = pc.utf8_length(pc.list_flatten(said).field("text")).fill_null(0).to_numpy()
    lengths = np.bincount(of_example, characters, examples.num_rows).astype(np.int64)
    labels = pc.binary_join_element_wise(examples["kind"], examples["label"], "/").combine_chunks()
    rows = draw_rows(lengths, labels.dictionary_encode().indices.to_numpy().astype(np.int64))
    if rows is None:
        return examples, ""
    return examples.take(rows), (
        f"{len(rows):,} of {examples.num_rows:,} corrections, a random choice of them of on average "
        f"{lengths.mean():,.0f} characters: a transformer reads no more of them in bounded time"
    )


def draw_taught(feedback: pa.Table, status: str) -> tuple[pa.Table, str]:
    """Return the corrections of one status that a transformer reads, and a sentence about those left out.

    See ``draw_examples``.
    """
    return draw_examples(as_examples(feedback, status))


def taught_by(engine: InsightEngine, examples: pa.Table) -> dict[Kind, LabelledVectors]:
    """Return training documents by kind of label from examples, encoded as the engine encodes conversations.

    An engine with a transformer uses only the examples that ``draw_examples`` chooses, and encodes them by the
    transformer, too.

    Args:
        engine: Engine with the default model, which groups the messages of a conversation.
        examples: ``EXAMPLES``.
    """
    if not examples.num_rows:
        return {}
    transformer = engine.transformer
    if transformer is not None:
        by_llm = pc.equal(examples["source"], "llm")
        of_people, of_llm = (draw_examples(examples.filter(mask))[0] for mask in (pc.invert(by_llm), by_llm))
        examples = pa.concat_tables([of_people, of_llm])
    messages = as_messages(examples)
    ids, documents = engine.conversation_documents(messages)
    of_outcomes = pc.any(pc.is_in(examples["kind"], pa.array(OUTCOME_KINDS))).as_py()
    outcomes = engine.judge_outcomes(messages) if of_outcomes else {}
    taught: dict[Kind, LabelledVectors] = {}
    for kind in TAUGHT_KINDS:
        rows = examples.filter(pc.equal(examples["kind"], kind))
        place = pc.index_in(rows["item"], value_set=ids)
        labels = rows.filter(pc.is_valid(place))["label"].to_pylist()
        if labels:
            at = place.drop_null().to_numpy().astype(np.int64)
            read = None if transformer is None else read_both(transformer, documents[kind], at)
            vectors = pool_both(documents[kind], at).astype(np.float64)
            sources = rows.filter(pc.is_valid(place))["source"].to_pylist()
            weights = np.array([_WEIGHTS.get(source, CORRECTION_WEIGHT) for source in sources])
            taught[kind] = LabelledVectors(vectors, labels, weights, read, sources.count("llm"))
            if kind in outcomes:
                rules = [outcomes[kind].rules[row] for row in at.tolist()]
                taught[kind] = replace(taught[kind], rules=rules, answers=outcomes[kind].answer.confidence[at])
    return taught


def _place_fault(entry: Mapping[str, Any], said: Said) -> str | None:
    """Return why the item of a correction cannot be found among the stored messages, or None."""
    if item_of(entry) not in said:
        if ("message", entry["message_id"], None) in said:
            return "message is not of that conversation"
        return "message is not known" if entry["message_id"] else "conversation is not known"
    if not said[item_of(entry)][0]:
        return "message_id is in several conversations, and conversation_id is missing"
    return None


def is_held_out(conversation: str) -> bool:
    """Tell whether labels of a conversation are evaluated on and never learnt from."""
    return int(hashlib.sha256(conversation.encode()).hexdigest(), 16) % _HELD_OUT == 0
