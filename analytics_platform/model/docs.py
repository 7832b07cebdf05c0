"""Renders the table declarations as Markdown, which ``docs/data-model.md`` contains.

``make data-model`` runs the module to write the page again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa

from analytics_platform.errors import UserError
from analytics_platform.model.table import Column, Table
from analytics_platform.model.tables import (
    analytics_tables,
    clean_tables,
    error_tables,
    insight_tables,
    learning_tables,
    llm_tables,
    operational_tables,
    raw_tables,
    topic_tables,
    translation_tables,
)

_MARK = "<!-- Made by `make data-model` from the declarations of the tables; a test compares. -->"

_LAYERS: dict[str, tuple[Table, ...]] = {
    "raw": (
        raw_tables.RAW_CONVERSATIONS,
        raw_tables.RAW_MESSAGES,
        raw_tables.QUARANTINED_ROWS,
        raw_tables.UNPLACED_ROWS,
    ),
    "clean": (clean_tables.CONVERSATIONS, clean_tables.MESSAGES),
    "insights": (
        insight_tables.MESSAGE_EMBEDDINGS,
        insight_tables.CONVERSATION_EMBEDDINGS,
        insight_tables.MESSAGE_INSIGHTS,
        insight_tables.CONVERSATION_INSIGHTS,
        error_tables.PROCESSING_ERRORS,
        llm_tables.LLM_INSIGHTS,
        llm_tables.LLM_CALLS,
        llm_tables.LLM_FAILURES,
        translation_tables.MESSAGE_TRANSLATIONS,
        translation_tables.TRANSLATION_FAILURES,
        translation_tables.TRANSLATION_LANGUAGES,
    ),
    "topics": (
        topic_tables.TOPIC_EPOCHS,
        topic_tables.TOPIC_NAMES,
        topic_tables.DISCOVERED_TOPICS,
        topic_tables.TOPIC_GENEALOGY,
        topic_tables.CONVERSATION_TOPICS,
    ),
    "analytics": (
        analytics_tables.DAILY_METRICS,
        analytics_tables.USER_DAILY,
        analytics_tables.AGENT_DAILY,
        analytics_tables.MODEL_DAILY,
        analytics_tables.USER_ANALYTICS,
    ),
    "learning": (
        learning_tables.LABEL_FEEDBACK,
        learning_tables.GOLD_LABELS,
        learning_tables.LLM_LESSONS,
        learning_tables.CANDIDATE_MODEL,
        learning_tables.PROMOTED_MODEL,
        learning_tables.MODEL_EVALUATION,
    ),
    "operational": (
        operational_tables.CONVERSATION_ANALYTICS,
        operational_tables.CONVERSATION_MESSAGES,
        operational_tables.CONVERSATION_CATEGORIES,
        operational_tables.CONVERSATION_TRANSLATIONS,
        operational_tables.USER_PROFILES,
        operational_tables.ANALYTICS_REPORTS,
        operational_tables.REPORT_PAGES,
    ),
}


def data_model_page(page: str) -> str:
    """Return the text of ``docs/data-model.md`` with the listing of today's declarations below its mark.

    Args:
        page: The text of the page as it stands; the part above the mark is written by people and stays.

    Raises:
        UserError: If the page has no mark.
    """
    written, mark, _ = page.partition(_MARK)
    if not mark:
        raise UserError(f"docs/data-model.md: the line {_MARK} is missing; put it back above the listing of the tables")
    return f"{written}{mark}\n\n{data_model_markdown().strip()}\n"


def data_model_markdown() -> str:
    """Return one section per layer, with one Markdown table per declaration: name, type and meaning of each column."""
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
    if limits := _limits(column):
        meaning.append(limits)
    if column.allowed:
        meaning.append("One of " + ", ".join(f"`{value}`" for value in sorted(column.allowed)) + ".")
    text = " ".join(meaning).replace("|", "\\|")
    return f"| `{column.name}` | {_type_name(column.type)} | {'yes' if column.nullable else ''} | {text} |"


def _limits(column: Column) -> str:
    """Describe the range of the column's numbers; empty without a limit."""
    if column.minimum is not None and column.maximum is not None:
        return f"From {column.minimum:g} to {column.maximum:g}."
    if column.minimum is not None:
        return f"At least {column.minimum:g}."
    return "" if column.maximum is None else f"At most {column.maximum:g}."


def _type_name(type_: pa.DataType) -> str:
    """Return the readable name of a type: ``list of {label: string, count: int64}``."""
    if pa.types.is_fixed_size_list(type_):
        return f"list of {type_.list_size} {_type_name(type_.value_type)}"
    if pa.types.is_list(type_):
        return f"list of {_type_name(type_.value_type)}"
    if pa.types.is_struct(type_):
        return "{" + ", ".join(f"{field.name}: {_type_name(field.type)}" for field in type_) + "}"
    if pa.types.is_timestamp(type_):
        return "timestamp"
    return {"date32[day]": "date", "halffloat": "float16", "double": "float64"}.get(str(type_), str(type_))


if __name__ == "__main__":
    sys.stdout.write(data_model_page(Path(sys.argv[1]).read_text(encoding="utf-8")))
