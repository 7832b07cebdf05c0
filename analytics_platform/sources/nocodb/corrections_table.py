"""Read a NocoDB table of corrections, one row for each label of a conversation that a person corrects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics_platform.sources.nocodb.noco_api.client import NocoClient
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import NocoContractError
from analytics_platform.sources.nocodb.noco_tables.cell_values import joined, plain_values


def read_corrections_table(
    client: NocoClient, table_id: str, columns: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return the rows of a table as corrections; a row without a time has the time of its last change.

    A column may be of any type that people see as a text, such as a choice or a user.

    Args:
        client: Client of the server.
        table_id: Id of the table.
        columns: Names under which each field of a correction may stand in the table, in any case.

    Raises:
        NocoError: If the server does not answer, or the table lacks a column.
    """
    table = client.table(table_id)
    titles = {column.title.strip().lower(): column.title for column in reversed(table.columns)}
    places = {field: next((titles[name] for name in names if name in titles), None) for field, names in columns.items()}
    if missing := [field for field in ("conversation_id", "kind", "label", "author") if places[field] is None]:
        wanted = ", ".join(" or ".join(columns[field]) for field in missing)
        raise NocoContractError(
            f"NOCODB_CORRECTIONS_TABLE: the table {table.title} lacks the column {wanted}; corrections have "
            "conversation_id, kind, label, who and when"
        )
    kinds = {column.title: column.type for column in table.columns}
    chosen = {field: (title, kinds[title]) for field, title in places.items() if title}
    asked = sorted({title for title, _ in chosen.values()} | set(table.times))
    rows = [row for page in client.pages(table_id, fields=asked) for row in page]
    return [_correction(row, chosen, table.times) for row in rows]


def _correction(row: Mapping[str, Any], chosen: Mapping[str, tuple[str, str]], times: Sequence[str]) -> dict[str, Any]:
    entry = {field: joined(kind, plain_values(kind, row.get(title))) for field, (title, kind) in chosen.items()}
    changed = next((row[title] for title in times if row.get(title)), None)
    return {**entry, "corrected_at": entry.get("corrected_at") or changed, "feedback_id": f"nocodb:{row['Id']}"}
