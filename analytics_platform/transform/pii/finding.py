"""Finds personal data of all kinds in a column of texts.

Each rule first runs as a cheap expression over the whole column, then on each of the few texts that match.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.word_sets.pii_kinds import KINDS
from analytics_platform.transform.pii import addresses, credentials, identifiers, network, phones, secret_tokens
from analytics_platform.transform.pii.ascii_forms import in_ascii_forms
from analytics_platform.transform.pii.names import KIND as NAME
from analytics_platform.transform.pii.names import find_names
from analytics_platform.transform.pii.pii_rules import PiiRule
from analytics_platform.transform.pii.spans import Span, spans_table

_RULES: tuple[PiiRule, ...] = (
    *secret_tokens.RULES,
    *credentials.RULES,
    *network.RULES,
    *identifiers.RULES,
    *phones.RULES,
    *addresses.RULES,
)


def find_pii(texts: pa.Array, kinds: Collection[str] = KINDS) -> pa.Table:
    """Find personal data.

    Args:
        texts: Strings without nulls, of any length and content.
        kinds: Kinds to look for, of ``KINDS``.

    Returns:
        ``SPANS``, ordered by row and place, not overlapping.
    """
    found: dict[int, list[Span]] = {}
    written, texts = texts, in_ascii_forms(texts)
    digit_rows = pc.indices_nonzero(pc.match_substring_regex(texts, "[0-9]"))
    digit_texts = texts.take(digit_rows)
    for rule in _RULES:
        if rule.kind not in kinds:
            continue
        column = digit_texts if rule.has_digit else texts
        places = pc.indices_nonzero(pc.match_substring_regex(column, rule.hint))
        rows = digit_rows.take(places) if rule.has_digit else places
        for row, text in zip(rows.to_pylist(), column.take(places).to_pylist(), strict=True):
            spans = [(start, end, rule.kind, confidence) for start, end, confidence in rule.find(text)]
            if spans:
                found.setdefault(row, []).extend(spans)
    if NAME in kinds:
        for row, span in find_names(written):
            found.setdefault(row, []).append(span)
    return spans_table(found)
