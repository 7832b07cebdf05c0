"""Correct the labels of a stored conversation: check them, and add them to the corrections in the home."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import pyarrow.compute as pc

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.learning.correction_rows import known_labels
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.model.tables.clean_tables import CONVERSATIONS
from analytics_platform.storage.entered_corrections import add_entered
from analytics_platform.system.home import open_home

_SHOWN = 12


@dataclass(frozen=True)
class Corrected:
    """What was corrected.

    Attributes:
        conversation_id: The conversation.
        date: Its day.
        labels: The new label by kind.
        author: Who corrected it.
    """

    conversation_id: str
    date: str
    labels: Mapping[str, str]
    author: str

    def as_json(self) -> dict[str, Any]:
        """Return the correction as a dictionary for JSON."""
        return asdict(self)


def correct(
    platform: Platform, conversation_id: str, labels: Mapping[str, str], author: str, note: str | None = None
) -> Corrected:
    """Add a correction for each of the labels; the next run shows them.

    Args:
        platform: The platform of the conversation; its home keeps the corrections, so that no MongoDB is needed.
        conversation_id: A stored conversation.
        labels: The right label by kind.
        author: Who corrects.
        note: Why the label is wrong.

    Raises:
        UserError: If there is no label, a label is not of the taxonomy, or the conversation is not stored.
    """
    if not labels:
        raise UserError("correct: names no label; give --topic, --intent, --sentiment, --urgency or --resolution")
    known = known_labels(load_taxonomy(platform.settings.taxonomy_parts))
    if faults := [_fault(kind, label, known[kind]) for kind, label in labels.items() if label not in known[kind]]:
        raise UserError(*faults)
    day = _day_of(platform, conversation_id)
    open_home(platform.settings.home, platform.settings.home_access)
    now = dt.datetime.now(dt.UTC)
    about = {
        "conversation_id": conversation_id,
        "message_id": None,
        "author": author,
        "corrected_at": now,
        "note": note,
    }
    add_entered(
        platform.settings.entered_corrections,
        [{**about, "kind": kind, "label": label} for kind, label in labels.items()],
    )
    return Corrected(conversation_id, day, labels, author)


def _fault(kind: str, label: str, known: set[str]) -> str:
    near = get_close_matches(label, sorted(known), n=1)
    listed = ", ".join(sorted(known)[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
    hint = f"did you mean {near[0]}?" if near else f"use one of {listed}"
    return f"--{kind} {label}: no {kind} of the taxonomy; {hint}"


def _day_of(platform: Platform, conversation_id: str) -> str:
    """Return the day of a stored conversation, newest days first, because people correct what they just read.

    Raises:
        UserError: If no stored day has it.
    """
    for day in reversed(platform.lake.keys(CONVERSATIONS.name)):
        ids = platform.lake.read(CONVERSATIONS.name, day, ["conversation_id"])["conversation_id"]
        if pc.any(pc.equal(ids, conversation_id)).as_py():
            return day
    raise UserError(f"{conversation_id}: no stored conversation has this id; `analytics run` stores new ones")
