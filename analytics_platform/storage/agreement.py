"""Whether a store holds what it should: the same rows, by count and content hash; and if not, which rows differ.

Belongs here: comparing two tables, and how a disagreement is put into words. Does not belong here: what a store should
hold (``defs.consistency.audit``), or reading it (``mongo.readback``, ``facts``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from analytics_platform.storage.content_hash import content_hash

IDS_SHOWN = 5


@dataclass(frozen=True)
class Disagreement:
    """One partition of one store that is not what it should be.

    Attributes:
        store: ``lake``, ``mongo`` or ``warehouse``: the one that is wrong.
        table: Table, collection or mart.
        day: The partition; empty when the table is one partition, or the rows are of no day.
        problem: What is wrong, in a few words.
        rows: How many rows differ; 0 when it is not about rows.
        ids: The first few of them.
    """

    store: str
    table: str
    day: str
    problem: str
    rows: int = 0
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        shown = ", ".join(self.ids) + (", …" if self.rows > len(self.ids) else "")
        return f"{self.day or 'all days'}: {self.store} {self.table}: {self.problem}" + (f": {shown}" if shown else "")


def compare(
    place: Disagreement, expected: pa.Table, actual: pa.Table, identity: str, misfits: Sequence[str] = ()
) -> Disagreement | None:
    """Compare what a partition should hold with what it holds; order of rows does not matter.

    Equal content is seen by its hash. Only where that differs are rows compared, in DuckDB, which knows nested values
    and nulls.

    Args:
        place: Names store, table and day; its other fields are ignored.
        expected: What it should hold.
        actual: What it holds, of the same schema.
        identity: Column that identifies a row.
        misfits: Identities of rows that could not even become part of ``actual``.

    Returns:
        None when they are equal.
    """
    return compare_pages(place, [(expected, actual, misfits)], identity)


def compare_pages(
    place: Disagreement, pages: Iterable[tuple[pa.Table, pa.Table, Sequence[str]]], identity: str
) -> Disagreement | None:
    """Compare a partition page by page, as ``compare`` does; only what differs is kept of a page.

    Args:
        place: Names store, table and day; its other fields are ignored.
        pages: Of each page, what it should hold, what it holds, and the identities of the misfits. A row that is
            expected in one page and held in another is missing there and foreign here.
        identity: Column that identifies a row.
    """
    kinds: dict[str, str] = {}
    held = given = 0
    for expected, actual, misfits in pages:
        held += actual.num_rows + len(misfits)
        given += expected.num_rows
        if misfits or not same_content(expected, actual, identity):
            kinds |= dict(_differing_rows(expected, actual, identity)) | dict.fromkeys(misfits, "misfit")
    if not kinds:
        return None
    counts = Counter(kinds.values())
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("missing", "foreign", "changed", "misfit") if counts[kind])
    ids = tuple(sorted(kinds)[:IDS_SHOWN])
    differ = "1 row differs" if len(kinds) == 1 else f"{len(kinds)} rows differ"
    problem = f"{differ} from the lake ({told}; {held} rows where the lake gives {given})"
    return replace(place, problem=problem, rows=len(kinds), ids=ids)


def same_content(expected: pa.Table, actual: pa.Table, identity: str) -> bool:
    """Tell whether two tables hold the same rows, in whatever order: as many, with the same content hash."""
    return expected.num_rows == actual.num_rows and _hash(expected, identity) == _hash(actual, identity)


def _hash(table: pa.Table, identity: str) -> str:
    return content_hash(table.sort_by(identity))


def _differing_rows(expected: pa.Table, actual: pa.Table, identity: str) -> list[tuple[str, str]]:
    """Return (identity, kind) of the rows that only one side has; a kind is ``missing``, ``foreign`` or ``changed``."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("expected", expected)
        connection.register("actual", actual)
        return connection.execute(
            f"""
            with gone as (from expected except all from actual),
            come as (from actual except all from expected)
            select
                coalesce(gone.row_id, come.row_id) as row_id,
                case when come.row_id is null then 'missing' when gone.row_id is null then 'foreign' else 'changed' end
            from (select distinct "{identity}"::varchar as row_id from gone) as gone
            full join (select distinct "{identity}"::varchar as row_id from come) as come on gone.row_id = come.row_id
            order by row_id
            """  # noqa: S608  (the name of a declared column)
        ).fetchall()
