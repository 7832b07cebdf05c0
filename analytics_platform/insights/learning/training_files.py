"""Labelled files: texts that teach the classifiers, and labelled conversations that `analytics train` learns from.

A row has a text or the id of a stored conversation, a label, and optionally a kind of label.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.insights.heads.training_sample import draw_sample
from analytics_platform.insights.heads.training_set import OUTCOME_KINDS, TEXT_KINDS, labels_of
from analytics_platform.insights.learning.label_files import (
    ROW,
    BadRows,
    LabelFileError,
    distinct_names,
    read_label_file,
    require_columns,
)
from analytics_platform.insights.taxonomies.taxonomy import FIXED_LABELS, OTHER, Taxonomy
from analytics_platform.insights.tiers.examples import EXAMPLES
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.system.plain_text import counted

VARIABLE = "ANALYTICS_TRAINING"
ORIGIN = "training"
KINDS: tuple[Kind, ...] = ("topic", "intent", "sentiment", "urgency", "resolution")
_COLUMNS = {name: (name,) for name in ("text", "conversation_id", "kind", "label")}
_OUT_OF_SCOPE = "oos"
"""Label of texts that fit no label, as in public data sets; it means ``other``."""
_HELD_OUT = 5
_MOST_GOLD = 1_000
"""Most held-out texts of a kind that models are evaluated on; more would tell hardly more, and are stored with each
evaluation."""
_SHOWN = 5
_LONGEST_NAME = 40
_NAME = re.compile(r"(?!.*\d{4})[^\W\d_][\w/&.-]*( [\w/&-]+){0,2}")
"""One to three words without the marks of a sentence or an address, and without long numbers."""

Pairs = tuple[tuple[str, str], ...]
"""Texts and their labels."""


@dataclass(frozen=True)
class Training:
    """The usable rows of all labelled files; equal files in any format give equal objects.

    Attributes:
        version: Hash of the usable rows; 16 hexadecimal digits.
        texts: Texts and labels by kind.
        conversations: Conversation id, kind and label of each labelled conversation, with the file's name and row.
        problems: One line for each thing that a person should know: rows left out, texts that are not used.
    """

    version: str = ""
    texts: Mapping[Kind, Pairs] = field(default_factory=dict, compare=False, repr=False)
    conversations: Sequence[Mapping[str, Any]] = field(default=(), compare=False, repr=False)
    problems: tuple[str, ...] = field(default=(), compare=False)

    @property
    def teaches(self) -> bool:
        """Whether labels depend on the texts."""
        return any(self.texts.get(kind) for kind in TEXT_KINDS)

    def without_held_out(self) -> Training:
        """Return the files without one text in five, which then can tell how good a model is."""
        texts = {kind: tuple(pair for pair in pairs if not _is_held_out(pair[0])) for kind, pairs in self.texts.items()}
        return Training(f"{self.version} without one in five", texts)

    def gold(self) -> pa.Table:
        """Return the held-out texts of kinds that texts teach, as ``EXAMPLES``; no model learns them."""
        rows = []
        for kind in TEXT_KINDS:
            chosen = [pair for pair in self.texts.get(kind, ()) if _is_held_out(pair[0])]
            for text, label in sorted(chosen, key=lambda pair: _digest(pair[0]))[:_MOST_GOLD]:
                item = f"text:{_digest(text)[:16]}"
                said = [{"role": "user", "text": text}]
                rows.append({"item": item, "kind": kind, "label": label, "source": ORIGIN, "messages": said})
        return EXAMPLES.from_rows(rows)


NOTHING = Training()


def read_training(paths: Sequence[Path], taxonomy: Taxonomy) -> Training:
    """Read labelled files; of a text or conversation with several labels of one kind, the last row counts.

    Args:
        paths: The files, in the order in which they count.
        taxonomy: Names the labels of topics and intents.

    Raises:
        LabelFileError: If a file cannot be read, lacks a column, or has labels that the taxonomy lacks.
    """
    if not paths:
        return NOTHING
    known = frozenset(
        (kind, label) for kind, labels in _known_labels(taxonomy).items() for label in labels
    )  # hashable, for the cache
    return _read(tuple((path, *_stamp(path)) for path in paths), known)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int, int], ...], known: frozenset[tuple[str, str]]) -> Training:
    tables, problems, faults = [], [], []
    names = distinct_names(path for path, *_ in files)
    for path, *_ in files:
        table, bad = _read_file(path, known)
        problems.append(bad.statement)
        faults += _unknown(path, table, known)
        name = pa.array([names[path]] * table.num_rows, pa.string())
        tables.append(table.append_column("file", name))
    if faults:
        raise LabelFileError(*faults)
    rows, repeated = _last_of_each(pa.concat_tables(tables))
    if repeated:
        problems.append(
            f"{VARIABLE}: {counted(repeated, 'row')} left out, because a later row has another label for the same text "
            "or conversation"
        )
    texts: dict[Kind, Pairs] = {}
    for kind in KINDS:
        chosen = rows.filter(pc.and_(pc.equal(rows["kind"], kind), pc.is_valid(rows["text"])))
        if not chosen.num_rows:
            continue
        sample = draw_sample(chosen["text"].to_pylist(), chosen["label"].to_pylist())
        texts[kind] = tuple(zip(sample.texts, sample.labels, strict=True))
        if sample.statement:
            problems.append(f"{VARIABLE}: {kind}: {sample.statement}")
        if kind in OUTCOME_KINDS:
            problems.append(
                f"{VARIABLE}: {counted(chosen.num_rows, 'text')} of {kind} teach nothing: rules over a whole "
                "conversation decide it; label the conversations instead, by conversation_id"
            )
    conversations = rows.filter(pc.is_null(rows["text"]))
    return Training(_version(rows), texts, conversations.to_pylist(), tuple(filter(None, problems)))


def _read_file(path: Path, known: frozenset[tuple[str, str]]) -> tuple[pa.Table, BadRows]:
    """Return the usable rows, and the rows that are left out with their reasons."""
    table, bad = read_label_file(path, _COLUMNS)
    if not {"text", "conversation_id"} & set(table.column_names):
        require_columns(path, table, ["text"], "a labelled file has text or conversation_id, label, and maybe kind")
    require_columns(path, table, ["label"], "a labelled file has text or conversation_id, label, and maybe kind")
    for name in _COLUMNS:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(table.num_rows, pa.string()))
    kinds = pc.utf8_lower(pc.coalesce(table["kind"], "topic"))
    open_kinds = [kind for kind in ("topic", "intent") if (kind, _OUT_OF_SCOPE) not in known]
    fits_nowhere = pc.and_(pc.equal(table["label"], _OUT_OF_SCOPE), pc.is_in(kinds, pa.array(open_kinds, pa.string())))
    label = pc.if_else(fits_nowhere, OTHER, table["label"])
    item = pc.coalesce(table["text"], table["conversation_id"])
    table = table.set_column(table.schema.get_field_index("kind"), "kind", kinds)
    table = table.set_column(table.schema.get_field_index("label"), "label", label)
    faults = (
        (f"kind is none of {', '.join(KINDS)}", pc.invert(pc.is_in(kinds, pa.array(KINDS)))),
        ("label is missing", pc.is_null(label)),
        ("neither text nor conversation_id", pc.is_null(item)),
    )
    reasons = dict(bad.reasons)
    usable = np.ones(table.num_rows, np.bool_)
    for reason, mask in faults:
        found = usable & mask.to_numpy()
        reasons |= dict.fromkeys(table[ROW].to_numpy()[found].tolist(), reason)
        usable &= ~found
    return table.filter(pa.array(usable)).select([ROW, *_COLUMNS]), BadRows(path, reasons)


def _unknown(path: Path, table: pa.Table, known: frozenset[tuple[str, str]]) -> list[str]:
    """Return one line about the labels that the taxonomy lacks; none if it has all.

    The line quotes no value unless all of them look like names: in swapped columns they are messages of customers.
    """
    labels = pa.array(sorted({label for _, label in known}), pa.string())
    marked = table.append_column("is_label", pc.is_in(table["text"], labels))
    groups = marked.group_by(["kind", "label"]).aggregate([([], "count_all"), (ROW, "min"), ("is_label", "any")])
    missing = [row for row in groups.to_pylist() if (row["kind"], row["label"]) not in known]
    if not missing:
        return []
    missing.sort(key=lambda row: (-row["count_all"], row["kind"], row["label"]))
    swapped = any(row["is_label_any"] or not _looks_like_name(row["label"]) for row in missing)
    named = ", ".join(_mention(row, quotes=not swapped) for row in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
    remedy = "correct the rows" if not swapped else "correct the rows: the columns text and label may be swapped"
    fault = (
        f"{path}: column label has {counted(len(missing), 'label')} that the taxonomy lacks: {named}{more}; "
        f"add topics and intents to a file of ANALYTICS_TAXONOMY, or {remedy}"
    )
    return [fault]


def _mention(row: Mapping[str, Any], *, quotes: bool) -> str:
    """Return the kind, the value or its length, and the rows of one unknown label."""
    label, count = row["label"], row["count_all"]
    value = repr(label) if quotes else f"a value of {counted(len(label), 'character')}"
    first = f", first in row {row[f'{ROW}_min']:,}" if count > 1 else f": row {row[f'{ROW}_min']:,}"
    return f"{row['kind']} {value} ({counted(count, 'row')}{first})"


def _looks_like_name(label: str) -> bool:
    """Tell whether a value looks like the name of a label rather than like a sentence, a number or an address."""
    # Scripts without capitals, such as Japanese, write a sentence in as few characters as a name, often without spaces.
    has_cases = all(letter.lower() != letter.upper() for letter in label if letter.isalpha())
    return has_cases and len(label) <= _LONGEST_NAME and bool(_NAME.fullmatch(label))


def _last_of_each(rows: pa.Table) -> tuple[pa.Table, int]:
    """Return the last row of each text or conversation and kind, and the number of rows with another label before."""
    order = pa.array(np.arange(rows.num_rows), pa.int64())
    rows = rows.append_column("order", order).append_column("is_text", pc.is_valid(rows["text"]))
    rows = rows.append_column("item", pc.coalesce(rows["text"], rows["conversation_id"]))
    keys = ["kind", "is_text", "item"]
    last = rows.group_by(keys).aggregate([("order", "max")])["order_max"]
    kept = rows.take(pa.array(np.sort(last.to_numpy())))
    joined = rows.join(kept.select([*keys, "label"]), keys, right_suffix="_last")
    repeated = int(pc.sum(pc.not_equal(joined["label"], joined["label_last"])).as_py() or 0)
    return kept.drop_columns(["order", "is_text", "item"]), repeated


def _version(rows: pa.Table) -> str:
    names = ["kind", "text", "conversation_id", "label"]
    ordered = rows.select(names).sort_by([(name, "ascending") for name in names])
    digest = hashlib.sha256()
    for name in names:
        digest.update("\x1f".join(pc.fill_null(ordered[name], "\x00").to_pylist()).encode() + b"\x1e")
    return digest.hexdigest()[:16]


def _known_labels(taxonomy: Taxonomy) -> dict[str, set[str]]:
    return {
        **{kind: {OTHER, *(label.label for label in labels)} for kind, labels in labels_of(taxonomy).items()},
        **{kind: set(labels) for kind, labels in FIXED_LABELS.items()},
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _is_held_out(text: str) -> bool:
    return int(_digest(text), 16) % _HELD_OUT == 0
