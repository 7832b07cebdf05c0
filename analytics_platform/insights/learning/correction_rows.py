"""The rows of corrections: their fields, what can be wrong with them, and which of several counts.

Every run asks which corrections hold; `quality.feedback` learns from them, and imports the classifiers.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from typing import Any

from analytics_platform.insights.heads.training_set import labels_of
from analytics_platform.insights.taxonomies.taxonomy import FIXED_LABELS, OTHER, Taxonomy

TRAINING = "training"
"""Origin of a row of a labelled file; every other origin is a place of corrections."""
Item = tuple[str, str, str | None]
"""A corrected item: ``conversation`` or ``message``, its id, and for a message the id of its conversation.

A message whose correction names no conversation has None there. A conversation and a message may have equal ids.
"""
_TEXT_FIELDS = ("conversation_id", "message_id", "kind", "label", "author", "note")
_NUMBERED = re.compile(r"(.*:)([0-9]{1,18})", re.DOTALL)
"""A ``feedback_id`` that ends in the number of a row."""
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


def known_labels(content: Taxonomy) -> dict[str, set[str]]:
    """Return the labels of each kind that a person may give."""
    return {
        **{kind: {OTHER, *(label.label for label in labels)} for kind, labels in labels_of(content).items()},
        **{kind: set(labels) for kind, labels in FIXED_LABELS.items()},
    }


def normalise_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a correction, trimmed; None for a field that is missing, and for a time that is none."""
    return {
        **{name: _text(row.get(name)) for name in _TEXT_FIELDS},
        "feedback_id": str(row["feedback_id"]),
        "origin": str(row.get("origin") or "mongodb"),
        "corrected_at": _time(row.get("corrected_at")),
    }


def precedence(entry: Mapping[str, Any]) -> tuple[bool, dt.datetime, str, int, str]:
    """Return the rank of a valid label among the labels of one item and kind; the greatest rank counts.

    Of two rows of one file or table with equal times, the later row counts: row 10 after row 9.
    """
    identifier = entry["feedback_id"]
    numbered = _NUMBERED.fullmatch(identifier)
    place, row = (numbered[1], int(numbered[2])) if numbered else (identifier, 0)
    return entry["origin"] != TRAINING, entry["corrected_at"] or _LONG_AGO, place, row, identifier


def label_fault(entry: Mapping[str, Any], known: Mapping[str, Collection[str]]) -> str | None:
    """Return what is wrong with a correction, whatever is stored; None if nothing is."""
    if entry["kind"] not in known:
        return f"kind is none of {', '.join(sorted(known))}"
    if entry["label"] not in known[entry["kind"]]:
        return f"label is no {entry['kind']} of the taxonomy"
    if entry["corrected_at"] is None and entry["origin"] != TRAINING:
        return "corrected_at is no time"
    if entry["author"] is None:
        return "author is missing"
    if not item_of(entry)[1]:
        return "neither conversation_id nor message_id"
    return None


def item_of(entry: Mapping[str, Any]) -> Item:
    """Return the corrected item of a correction."""
    if entry["message_id"]:
        return "message", entry["message_id"], entry["conversation_id"]
    return "conversation", entry["conversation_id"] or "", None


def _text(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None


def _time(value: object) -> dt.datetime | None:
    """Parse a time; a time without a zone is UTC; None for an invalid time."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    try:
        return value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
    except OverflowError:  # a time that overflows when it is converted to UTC
        return None
