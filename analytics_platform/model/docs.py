"""The tables as a reader sees them: Markdown made from the declarations.

Belongs here: turning declarations into text. Does not belong here: explanations; those stand in docs/data-model.md
around the text made here.
"""

from __future__ import annotations

import pyarrow as pa

from analytics_platform.model import analytics, clean, errors, insights, learning, llm, operational, raw
from analytics_platform.model.table import Column, Table

_LAYERS: dict[str, tuple[Table, ...]] = {
    "raw": (raw.RAW_CONVERSATIONS, raw.RAW_MESSAGES, raw.QUARANTINED_ROWS),
    "clean": (clean.CONVERSATIONS, clean.MESSAGES),
    "insights": (
        insights.MESSAGE_EMBEDDINGS,
        insights.CONVERSATION_EMBEDDINGS,
        insights.MESSAGE_INSIGHTS,
        insights.CONVERSATION_INSIGHTS,
        errors.PROCESSING_ERRORS,
        llm.LLM_INSIGHTS,
        llm.LLM_CALLS,
        llm.LLM_FAILURES,
    ),
    "analytics": (
        analytics.DAILY_METRICS,
        analytics.USER_DAILY,
        analytics.AGENT_DAILY,
        analytics.MODEL_DAILY,
        analytics.USER_ANALYTICS,
    ),
    "learning": (
        learning.LABEL_FEEDBACK,
        learning.GOLD_LABELS,
        learning.CANDIDATE_MODEL,
        learning.PROMOTED_MODEL,
        learning.MODEL_EVALUATION,
    ),
    "operational": (
        operational.CONVERSATION_ANALYTICS,
        operational.CONVERSATION_MESSAGES,
        operational.CONVERSATION_CATEGORIES,
        operational.CONVERSATION_TRANSLATIONS,
        operational.USER_PROFILES,
        operational.ANALYTICS_REPORTS,
    ),
}


def data_model_markdown() -> str:
    """Return a section per layer, a table per declaration: name, type and meaning of every column."""
    sections = [
        "\n\n".join([f"### {layer}", *(_table_markdown(table) for table in tables)])
        for layer, tables in _LAYERS.items()
    ]
    return "\n\n".join(sections) + "\n"


def _table_markdown(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key)
    head = [f"#### {table.name}", "", f"{table.grain[0].upper()}{table.grain[1:]}. Key: {key}.", ""]
    rows = ["| column | type | null | meaning |", "|---|---|---|---|", *map(_row, table.columns)]
    return "\n".join([*head, *rows])


def _row(column: Column) -> str:
    meaning = [column.doc]
    if column.unit:
        meaning.append(f"Unit: {column.unit}.")
    if column.allowed:
        meaning.append("One of " + ", ".join(f"`{value}`" for value in sorted(column.allowed)) + ".")
    text = " ".join(meaning).replace("|", "\\|")
    return f"| `{column.name}` | {_type_name(column.type)} | {'yes' if column.nullable else ''} | {text} |"


def _type_name(type_: pa.DataType) -> str:
    """Name a type as a reader says it: ``list of {label: string, count: int64}``."""
    if pa.types.is_fixed_size_list(type_):
        return f"list of {type_.list_size} {_type_name(type_.value_type)}"
    if pa.types.is_list(type_):
        return f"list of {_type_name(type_.value_type)}"
    if pa.types.is_struct(type_):
        return "{" + ", ".join(f"{field.name}: {_type_name(field.type)}" for field in type_) + "}"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    return {"date32[day]": "date", "halffloat": "float16", "double": "float64"}.get(str(type_), str(type_))
