"""The rows of files as they were read, kept on disk column by column until it is known which rows are refused.

The quarantine needs the original values of few rows. Written as columns, the values of all rows cost little time, and
only those of refused rows are put together again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq


class Originals:
    """The rows of a source as they were read; a file on disk for each run of blocks with the same columns.

    Args:
        folder: A folder that does not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._names: tuple[str, ...] = ()
        self._writer: pq.ParquetWriter | None = None
        self._files: dict[tuple[str, ...], list[str]] = {}

    def add(self, positions: pa.ChunkedArray, columns: Mapping[str, pa.Array]) -> None:
        """Write a block of rows.

        Args:
            positions: Position of each row within the source.
            columns: The file's columns as they were read, by name.
        """
        names = tuple(columns)
        # A column's own name may be that of another one in other letters, which a database takes for the same.
        table = pa.table({"position": positions, **{f"cell_{at}": columns[name] for at, name in enumerate(names)}})
        if self._writer is None or names != self._names:
            self.close()
            files = self._files.setdefault(names, [])
            path = self._folder / f"{sum(map(len, self._files.values()))}.parquet"
            files.append(str(path))
            self._names, self._writer = names, pq.ParquetWriter(path, table.schema, use_dictionary=False)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file that is being written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def create_view(self, db: duckdb.DuckDBPyConnection) -> None:
        """Create the view ``originals`` with ``position``, ``names`` and ``cells`` of the rows in ``refused``.

        Args:
            db: Contains ``refused``.
        """
        self.close()
        db.execute("CREATE TABLE refused_positions AS SELECT DISTINCT position FROM refused")
        selects = ["SELECT 0::BIGINT AS position, NULL::VARCHAR[] AS names, NULL::VARCHAR[] AS cells WHERE false"]
        for number, (names, files) in enumerate(self._files.items()):
            db.read_parquet(files).create_view(f"originals_{number}")
            cells = ", ".join(f"cell_{at}" for at in range(len(names)))
            listed = ", ".join(_quoted(name) for name in names)
            selects.append(
                f"SELECT position, [{listed}]::VARCHAR[], [{cells}]::VARCHAR[] "  # noqa: S608  (quoted names)
                f"FROM originals_{number} SEMI JOIN refused_positions USING (position)"
            )
        db.execute(f"CREATE VIEW originals AS {' UNION ALL '.join(selects)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
