"""Comparison of two versions of a partition by row count and content hash, with a list of the rows that differ.

`defs.consistency.audit` chooses the versions to compare; `mongo.readback` and `warehouse.facts` read them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from analytics_platform.storage.content_hash import content_hash
from analytics_platform.system.plain_text import agreeing, counted

IDS_SHOWN = 5


@dataclass(frozen=True)
class Disagreement:
    """A partition of one store that differs from its expected content.

    Attributes:
        store: Name of the store with the wrong partition: ``lake``, ``mongo`` or ``warehouse``.
        table: Table, collection or mart.
        day: Partition key; empty for an unpartitioned table and for rows without a day.
        problem: The difference, in a few words.
        rows: Number of rows that differ; 0 when the problem does not concern rows.
        ids: Identities of the first few differing rows.
    """

    store: str
    table: str
    day: str
    problem: str
    rows: int = 0
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the disagreement as one line."""
        shown = ", ".join(self.ids) + (", …" if self.rows > len(self.ids) else "")
        return f"{self.day or 'all days'}: {self.store} {self.table}: {self.problem}" + (f": {shown}" if shown else "")


def compare(
    place: Disagreement, expected: pa.Table, actual: pa.Table, identity: Sequence[str], misfits: Sequence[str] = ()
) -> Disagreement | None:
    """Compare the expected rows of a partition with its actual rows; the order of rows does not matter.

    Equal tables are recognized by their content hash. DuckDB compares single rows only when the hashes differ; DuckDB
    handles nested values and nulls.

    Args:
        place: Names store, table and day; its other fields are ignored.
        expected: Rows that the partition should hold.
        actual: Rows that the partition holds, of the same schema.
        identity: Columns that identify a row.
        misfits: Identities of stored rows that do not fit the schema of ``actual``.

    Returns:
        The disagreement; None when the two tables are equal.
    """
    return compare_pages(place, [(expected, actual, misfits)], identity)


def compare_pages(
    place: Disagreement, pages: Iterable[tuple[pa.Table, pa.Table, Sequence[str]]], identity: Sequence[str]
) -> Disagreement | None:
    """Compare a partition page by page, as ``compare`` does; memory holds one page and the differing identities.

    Args:
        place: Names store, table and day; its other fields are ignored.
        pages: For each page: the expected rows, the actual rows, and the identities of the misfits. A row that is
            expected in one page and stored in another counts as missing in the first and foreign in the second.
        identity: Columns that identify a row.

    Returns:
        The disagreement; None when all pages are equal.
    """
    kinds: dict[str, str] = {}
    actual_rows = expected_rows = 0
    for expected, actual, misfits in pages:
        actual_rows += actual.num_rows + len(misfits)
        expected_rows += expected.num_rows
        if misfits or not same_content(expected, actual, identity):
            kinds |= dict(_differing_rows(expected, actual, identity)) | dict.fromkeys(misfits, "misfit")
    if not kinds:
        return None
    counts = Counter(kinds.values())
    details = ", ".join(
        f"{counts[kind]} {kind}" for kind in ("missing", "foreign", "changed", "misfit") if counts[kind]
    )
    ids = tuple(sorted(kinds)[:IDS_SHOWN])
    differ = f"{counted(len(kinds), 'row')} {agreeing(len(kinds), 'differs', 'differ')}"
    problem = (
        f"{differ} from the lake ({details}; {counted(actual_rows, 'row')} where the lake gives {expected_rows:,})"
    )
    return replace(place, problem=problem, rows=len(kinds), ids=ids)


def same_content(expected: pa.Table, actual: pa.Table, identity: Sequence[str]) -> bool:
    """Tell whether two tables hold the same rows in any order: equal row counts and equal content hashes."""
    return expected.num_rows == actual.num_rows and _hash(expected, identity) == _hash(actual, identity)


def _hash(table: pa.Table, identity: Sequence[str]) -> str:
    return content_hash(table.sort_by([(name, "ascending") for name in identity]))


def _differing_rows(expected: pa.Table, actual: pa.Table, identity: Sequence[str]) -> list[tuple[str, str]]:
    """Return (identity, kind) of each row that only one table has: kind ``missing``, ``foreign`` or ``changed``."""
    row_id = " || ':' || ".join(f'"{name}"::varchar' for name in identity)
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
            from (select distinct {row_id} as row_id from gone) as gone
            full join (select distinct {row_id} as row_id from come) as come on gone.row_id = come.row_id
            order by row_id
            """  # noqa: S608  (names of declared columns)
        ).fetchall()
