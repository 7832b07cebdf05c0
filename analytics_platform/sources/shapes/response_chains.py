"""Chains of answers of OpenAI's Responses, of which each names the one before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exchange_texts import bodies_within, sides_of
from analytics_platform.sources.shapes.exports.exchange_columns import Pair
from analytics_platform.sources.shapes.identity import forget_oldest
from analytics_platform.sources.shapes.shape import Context

_BEFORE = "previous_response_id"
"""Key of the answer before, in OpenAI's Responses."""


def chain_of(record: Record, pair: Pair, context: Context) -> Record | None:
    """Return the id and the conversation of an answer of OpenAI's Responses, which names the answer before it.

    The conversation is the id of the first answer of the chain, or the one that the answer names. None of another
    record.
    """
    roots: OrderedDict[str, str] = context.memory.setdefault("roots_of_chains", OrderedDict())
    if context.memory.get("linked") is not context.neighbours:
        _add_roots(roots, dict(link for one in context.neighbours if (link := _link_of(one, pair)) is not None))
        context.memory["linked"] = context.neighbours
    link = _link_of(record, pair)
    if link is None:
        return None
    own, before = link
    last = own if own in roots else before or own
    return {"id": own, "conversation_id": roots.get(last, last)}


def _add_roots(roots: OrderedDict[str, str], links: Mapping[str, str | None]) -> None:
    """Add the first answer of the chain of each answer.

    Args:
        roots: Answer to the first answer of its chain. Of the answers before, the last ones are kept.
        links: Answer to the one before it, of the records that are read together.
    """
    forget_oldest(roots)
    added: dict[str, str] = {}
    for own in links:
        passed: dict[str, None] = {}
        root = own
        while root in links and root not in added and root not in passed:
            passed[root] = None
            root = links[root] or root
        root = added.get(root, root)
        while roots.get(root, root) != root:
            root = roots[root]
        added |= dict.fromkeys(passed, root)
    roots |= added


def _link_of(record: Record, pair: Pair) -> tuple[str, str | None] | None:
    """Return the id of an answer of OpenAI's Responses, and that of the conversation or the answer before it."""
    sides = (record.get(pair.question), record.get(pair.answer))
    if _BEFORE not in record and not any(isinstance(side, Mapping) or _BEFORE in str(side) for side in sides):
        return None
    holders = [record, *(holder for side in sides_of(record, pair) for holder in bodies_within(side))]
    objects = [holder for holder in holders if isinstance(holder, Mapping)]
    own = next((one["id"] for one in reversed(objects) if one.get("id")), None)
    if own is None or not any(_BEFORE in one for one in objects):
        return None
    whole = next((one["conversation"] for one in objects if one.get("conversation")), None)
    whole = whole.get("id") if isinstance(whole, Mapping) else whole
    before = whole or next((one[_BEFORE] for one in objects if one.get(_BEFORE)), None)
    return str(own), None if before is None else str(before)
