"""Tokens of a call of a language model: an object such as ``usage``, whose keys differ by vendor."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.sources.rows import Rows
from analytics_platform.sources.shapes.shape import first_of, parsed
from analytics_platform.sources.shapes.table_parts.column_names import word_form

USAGE_KEYS = ("usage", "usageDetails", "token_usage", "usage_metadata", "usageMetadata")
"""Keys of the object in a record, an answer or a message."""
_KEYS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "input_tokens", "prompt_tokens", "inputTokens", "promptTokens", "prompt_token_count", "promptTokenCount",
        "input_token_count", "inputTokenCount", "input", "prompt",
    ),
    "output_tokens": (
        "output_tokens", "completion_tokens", "outputTokens", "completionTokens", "candidates_token_count",
        "candidatesTokenCount", "completion_token_count", "output_token_count", "outputTokenCount", "output",
        "completion",
    ),
}  # fmt: skip
_COLUMN = re.compile(r"(?:llm_|token_|tokens_|model_)?usage(?:_metadata|_details)?|response_metadata")
"""Forms of the names of columns with the object as JSON."""


def stated_tokens(*holders: Any) -> dict[str, Any]:
    """Return ``input_tokens`` and ``output_tokens`` from the first of several objects that states any.

    Args:
        holders: Records, answers or messages, or their JSON, with an object of ``USAGE_KEYS``; others are passed over.
    """
    for holder in map(parsed, holders):
        usage = parsed(first_of(holder, *USAGE_KEYS)) if isinstance(holder, Mapping) else None
        if isinstance(usage, Mapping):
            found = {name: first_of(usage, *keys) for name, keys in _KEYS.items()}
            if any(isinstance(value, int | float) for value in found.values()):
                return {name: value for name, value in found.items() if isinstance(value, int | float)}
    return {}


@dataclass(frozen=True)
class UsageColumn:
    """A column of a table with the tokens of each row in an object, as JSON.

    Attributes:
        column: Its name.
        filled: Which of ``input_tokens`` and ``output_tokens`` the table lacks.
    """

    column: str
    filled: tuple[str, ...]

    def apply(self, rows: Rows) -> Rows:
        """Return rows with the columns ``filled``."""
        if self.column not in rows.columns:
            return rows
        values = rows.columns[self.column]
        return replace(rows, columns={**rows.columns, **{name: _tokens(values, name) for name in self.filled}})

    def note(self) -> str:
        """Return a sentence that says what is derived."""
        return f"Tokens are those of the objects in the column {self.column}."


def usage_column(columns: Mapping[str, pa.Array], lacking: Collection[str], keys: Iterable[Any]) -> UsageColumn | None:
    """Return the column of a table that has the tokens of its rows; None if it has none.

    Args:
        columns: Columns of the table with their first values.
        lacking: Which of ``input_tokens`` and ``output_tokens`` no column holds.
        keys: Conversations of the first rows. Tokens that each row of a conversation repeats are none of its messages.
    """
    conversations = list(keys)
    for column in (name for name in columns if _COLUMN.fullmatch(word_form(name))):
        filled = []
        for name in _KEYS:
            tokens = _tokens(columns[column], name)
            pairs = {*zip(conversations, tokens.to_pylist(), strict=False)}
            is_repeated = len(pairs) == len({*conversations}) < len(conversations)
            if name in lacking and tokens.null_count < len(tokens) and not is_repeated:
                filled.append(name)
        if filled:
            return UsageColumn(column, tuple(filled))
    return None


def _tokens(values: pa.Array, name: str) -> pa.Array:
    """Return the number of tokens in each object, as text; null where it states none."""
    pattern = rf"""["'](?:{"|".join(_KEYS[name])})["']\s*:\s*(?P<tokens>\d+)"""
    return pc.struct_field(pc.extract_regex(values, pattern), "tokens")
