"""The two versions of the data API: paths, parameters, and the shape of their answers.

Belongs here: everything that differs between v2 and v3. Does not belong here: sending requests, and deciding
whether a page can be trusted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from analytics_platform.sources.nocodb.filters import Filter
from analytics_platform.sources.nocodb.pages import Page, Row
from analytics_platform.sources.nocodb.transport import Params

KEY = "Id"


class ApiDialect(Protocol):
    """One version of the data API."""

    needs_base: bool
    """Whether its paths name the base that a table belongs to."""

    def rows_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's rows."""
        ...

    def count_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's number of rows."""
        ...

    def where(self, selected: Filter) -> str:
        """Return a filter as this version wants it written."""
        ...

    def page_params(self, rows: int) -> Params:
        """Return the parameters for the first ``rows`` rows by ascending key."""
        ...

    def page(self, answer: Any) -> Page:
        """Read a page of rows.

        Raises:
            KeyError, TypeError: If the answer has another shape.
        """
        ...


class V2:
    """Version 2: flat rows, and totals with every page."""

    needs_base = False

    def rows_path(self, base_id: str, table_id: str) -> str:  # noqa: ARG002  the other version needs it
        """Return the path of a table's rows."""
        return f"/api/v2/tables/{table_id}/records"

    def count_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's number of rows."""
        return f"{self.rows_path(base_id, table_id)}/count"

    def where(self, selected: Filter) -> str:
        """Return a filter; the sign before it asks for the grammar with quotes, which version 3 always has."""
        return f"@{selected.where()}"

    def page_params(self, rows: int) -> Params:
        """Return the parameters for the first ``rows`` rows by ascending key."""
        return [("limit", rows), ("offset", 0), ("sort", KEY)]

    def page(self, answer: Any) -> Page:
        """Read a page of rows."""
        info = answer["pageInfo"]
        return Page(
            rows=_list(answer["list"]),
            is_first=bool(info["isFirstPage"]),
            is_last=bool(info["isLastPage"]),
            total=int(info["totalRows"]),
        )


class V3:
    """Version 3: rows as key and fields, the address of the next page, no totals."""

    needs_base = True

    def rows_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's rows."""
        return f"/api/v3/data/{base_id}/{table_id}/records"

    def count_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's number of rows."""
        return f"/api/v3/data/{base_id}/{table_id}/count"

    def where(self, selected: Filter) -> str:
        """Return a filter."""
        return selected.where()

    def page_params(self, rows: int) -> Params:
        """Return the parameters for the first ``rows`` rows by ascending key."""
        return [("pageSize", rows), ("page", 1), ("sort", json.dumps([{"field": KEY, "direction": "asc"}]))]

    def page(self, answer: Any) -> Page:
        """Read a page of rows."""
        return Page(
            rows=[{KEY: row["id"], **row["fields"]} for row in _list(answer["records"])],
            is_first=not answer.get("prev"),
            is_last=not answer.get("next"),
            total=None,
        )


DIALECTS: Mapping[str, ApiDialect] = {"v2": V2(), "v3": V3()}


def field_params(fields: Sequence[str] | None) -> Params:
    """Return the parameters that choose columns, the key always among them; both versions take them alike."""
    if fields is None:
        return []
    # One parameter a column: a comma within a lone parameter would be read as a separator.
    return [("fields", title) for title in dict.fromkeys((KEY, *fields))]


def _list(rows: Any) -> list[Row]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("the rows are not a list of objects")
    return rows
