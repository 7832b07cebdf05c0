"""The corrections that hold: a label that a person gave a conversation is the conversation's label."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.learning.correction_rows import known_labels, label_fault, normalise_row, precedence
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.system.plain_text import counted

_SCHEMA = pa.schema([(name, pa.string()) for name in ("conversation_id", "kind", "label")])
_SHOWN = 3


@dataclass(frozen=True)
class StandingCorrections:
    """Labels that people gave to conversations, at most one for each conversation and kind.

    Attributes:
        labels: Columns conversation_id, kind and label, ascending.
        problem: One line with the number of corrections that cannot hold and the first of them; empty without any.
    """

    labels: pa.Table
    problem: str = ""

    def of(self, conversations: pa.ChunkedArray) -> StandingCorrections:
        """Return the corrections of some conversations, given by id."""
        mine = pc.is_in(self.labels["conversation_id"], value_set=conversations.combine_chunks())
        return StandingCorrections(self.labels.filter(mine))

    @property
    def version(self) -> str:
        """Hash of the labels, 16 hexadecimal digits; empty without any."""
        if not self.labels.num_rows:
            return ""
        rows = "\x1e".join("\x1f".join(row.values()) for row in self.labels.to_pylist())
        return hashlib.sha256(rows.encode()).hexdigest()[:16]

    def by_kind(self, conversations: pa.Array) -> dict[Kind, pa.Array]:
        """Return the label of each conversation, null without a correction, for each kind that has one.

        Args:
            conversations: Ids of conversations.
        """
        found: dict[Kind, pa.Array] = {}
        for kind in pc.unique(self.labels["kind"]).to_pylist():
            mine = self.labels.filter(pc.equal(self.labels["kind"], kind))
            place = pc.index_in(conversations, value_set=mine["conversation_id"].combine_chunks())
            found[cast(Kind, kind)] = mine["label"].combine_chunks().take(place)
        return found


NO_CORRECTIONS = StandingCorrections(_SCHEMA.empty_table())


def standing_corrections(rows: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> StandingCorrections:
    """Return the corrections of whole conversations that hold: of each conversation and kind the latest valid one.

    A correction of a message teaches, and holds for no label: a message's labels are stored without corrections.

    Args:
        rows: Corrections as their sources return them, with ``feedback_id`` and ``origin``.
        taxonomy: Names the labels.
    """
    known = known_labels(taxonomy)
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    faults: list[str] = []
    for entry in map(normalise_row, rows):
        if fault := label_fault(entry, known):
            faults.append(f"{entry['feedback_id']}: {fault}")
        elif not entry["message_id"]:
            place = entry["conversation_id"], entry["kind"]
            if place not in latest or precedence(latest[place]) < precedence(entry):
                latest[place] = entry
    labels = [{name: latest[place][name] for name in _SCHEMA.names} for place in sorted(latest)]
    problem = (
        f"{counted(len(faults), 'correction')} cannot be used ({'; '.join(faults[:_SHOWN])}); "
        "the others hold, and `analytics train` lists all in label_feedback"
        if faults
        else ""
    )
    return StandingCorrections(pa.Table.from_pylist(labels, _SCHEMA), problem)
