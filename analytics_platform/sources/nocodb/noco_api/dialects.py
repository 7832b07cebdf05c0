"""The two versions of the NocoDB data API: paths, parameters, and the shape of their answers.

Put code here when it differs between v2 and v3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from analytics_platform.sources.nocodb.noco_api.filters import Filter
from analytics_platform.sources.nocodb.noco_api.pages import Page, Row
from analytics_platform.sources.nocodb.noco_api.transport import Params

KEY = "Id"

MOST_LINKED = 100
"""Most linked records that are read of one row's cell."""


class ApiDialect(Protocol):
    """One version of the data API."""

    needs_base: bool
    """Whether the paths of this version contain the base of a table."""

    def rows_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's rows."""
        ...

    def count_path(self, base_id: str, table_id: str) -> str:
        """Return the path of a table's row count."""
        ...

    def where(self, selected: Filter) -> str:
        """Return a filter in the grammar of this version."""
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
        """Return the path of a table's row count."""
        return f"{self.rows_path(base_id, table_id)}/count"

    def where(self, selected: Filter) -> str:
        """Return a filter in version 2's grammar; the leading ``@`` selects the quoted grammar, version 3's default."""
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
        """Return the path of a table's row count."""
        return f"/api/v3/data/{base_id}/{table_id}/count"

    def where(self, selected: Filter) -> str:
        """Return a filter in version 3's grammar."""
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
    """Return the parameters that select columns, always including the key; both versions use the same parameters."""
    if fields is None:
        return []
    # One parameter per column: the server would read a comma in a single parameter as a separator.
    return [("fields", title) for title in dict.fromkeys((KEY, *fields))]


@dataclass(frozen=True)
class LinkedFields:
    """Which linked records come with the rows of a page.

    Attributes:
        fields: Title of each link to the titles of the linked records' columns, at least two.
        lists: Titles of the columns of type ``Links`` that give their records in place of the number of them; the
            server does so for all columns of a table or for none.
    """

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lists: tuple[str, ...] = ()


def link_params(linked: LinkedFields | None) -> Params:
    """Return the parameters that ask for linked records; both versions use the same parameters."""
    if linked is None:
        return []
    fields = [(f"nested[{link}][fields]", title) for link, titles in linked.fields.items() for title in titles]
    limits = [(f"nested[{link}][limit]", MOST_LINKED) for link in dict.fromkeys([*linked.fields, *linked.lists])]
    return [*([("linksAsLtar", "true")] if linked.lists else []), *fields, *limits]


def _list(rows: Any) -> list[Row]:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("the rows are not a list of objects")
    return rows
