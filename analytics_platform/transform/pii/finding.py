"""All kinds together: a cheap pass over the column for each rule, and the rule itself for the few texts that may match.

Belongs here: which texts each rule sees. Does not belong here: the rules.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.pii import KINDS
from analytics_platform.transform.pii import addresses, credentials, identifiers, network, phones
from analytics_platform.transform.pii.names import KIND as NAME
from analytics_platform.transform.pii.names import find_names
from analytics_platform.transform.pii.rules import Rule
from analytics_platform.transform.pii.spans import Span, spans_table

_RULES: tuple[Rule, ...] = (*credentials.RULES, *network.RULES, *identifiers.RULES, *phones.RULES, *addresses.RULES)


def find_pii(texts: pa.Array, kinds: Collection[str] = KINDS) -> pa.Table:
    """Find personal data.

    Args:
        texts: Strings without nulls; any length, any content.
        kinds: Kinds to look for, of ``KINDS``.

    Returns:
        ``SPANS``, ordered by row and place, not overlapping.
    """
    found: dict[int, list[Span]] = {}
    for rule in _RULES:
        if rule.kind not in kinds:
            continue
        rows = pc.indices_nonzero(pc.match_substring_regex(texts, rule.hint))
        for row, text in zip(rows.to_pylist(), texts.take(rows).to_pylist(), strict=True):
            spans = [(start, end, rule.kind, confidence) for start, end, confidence in rule.find(text)]
            if spans:
                found.setdefault(row, []).extend(spans)
    if NAME in kinds:
        for row, span in find_names(texts):
            found.setdefault(row, []).append(span)
    return spans_table(found)
