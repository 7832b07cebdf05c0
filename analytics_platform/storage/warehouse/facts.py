"""The facts of the warehouse: a day's published rows, and the rows that the dbt models compute from the lake.

`OpenFacts.given` runs the SQL of ``dbt_project/`` itself on the day's tables, in memory and without dbt: a second
definition of the facts could differ from the first. `storage.agreement` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import duckdb
import jinja2
import pyarrow as pa

from analytics_platform.storage.warehouse.warehouse_file import reading, told_apart

FACTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"fct_conversation": ("conversation_id",), "fct_message": ("conversation_id", "message_id")}
)
"""The columns that identify a row, by fact table."""


@dataclass(frozen=True)
class Model:
    """The SQL of a fact, over tables ``lake_<name>``.

    Attributes:
        sql: The query.
        tables: Names of the lake tables that the query reads.
    """

    sql: str
    tables: tuple[str, ...]


def render(project_dir: Path, name: str) -> Model:
    """Return the SQL of a dbt model with its referenced models as subqueries.

    Args:
        project_dir: The dbt project.
        name: A model that uses only ``ref``, ``source``, ``lake_files`` and macros limited to these functions.

    Raises:
        FileNotFoundError: If the project has no such model.
        jinja2.UndefinedError: If the model uses another function of dbt.
    """
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  (SQL, not HTML)
    tables: dict[str, None] = {}

    def source(_: str, table: str) -> str:
        tables[table] = None
        return f"lake_{table}"

    def ref(model: str) -> str:
        path = next(project_dir.glob(f"models/**/{model}.sql"), None)
        if path is None:
            raise FileNotFoundError(f"{project_dir} has no model {model}")
        return f"({environment.from_string(path.read_text()).render()})"

    environment.globals |= {"ref": ref, "source": source}
    for path in sorted(project_dir.glob("macros/**/*.sql")):
        macros = environment.from_string(path.read_text()).module
        environment.globals |= {key: macro for key, macro in vars(macros).items() if not key.startswith("_")}
    environment.globals["lake_files"] = lambda table: table  # given as tables, not read from files
    return Model(ref(name), tuple(tables))


@dataclass(frozen=True)
class Facts:
    """The facts of one published file; the file is opened read-only.

    Args:
        path: The published file.
        project_dir: The dbt project that builds the file.
    """

    path: Path
    project_dir: Path

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """The SQL of each fact."""
        return {name: render(self.project_dir, name) for name in FACTS}

    @contextmanager
    def open(self) -> Iterator[OpenFacts | None]:
        """Open the published file; yields None when nothing is published yet.

        Raises:
            DamagedWarehouseError: If the published file is damaged; also raised during the block.
            WarehouseError: If the file cannot be read for another reason.
        """
        if not self.path.exists():
            yield None
            return
        with duckdb.connect() as memory, reading(self.path) as published:
            memory.execute("set timezone = 'UTC'")
            yield OpenFacts(self.path, published, memory, self.models)


@dataclass(frozen=True)
class OpenFacts:
    """The facts of an open file; made by ``Facts.open``.

    Methods that read the published file raise the errors of ``warehouse_file.told_apart``.
    """

    path: Path
    published: duckdb.DuckDBPyConnection
    memory: duckdb.DuckDBPyConnection
    models: Mapping[str, Model]

    def days(self, name: str) -> list[str]:
        """Return the days for which a published fact has rows, ascending."""
        with told_apart(self.path):
            rows = self.published.table(name).project("date::varchar as day").distinct().order("day")
            return [day for (day,) in rows.fetchall()]

    def held(self, name: str, days: Sequence[str]) -> pa.Table:
        """Return the published rows of a fact for some days."""
        query = f"from {name} where date in (select unnest(?::date[]))"
        with told_apart(self.path):
            return self.published.sql(query, params=[list(days)]).to_arrow_table()

    def given(self, name: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Return the rows that a fact's model computes from days of the lake, with the published columns and types.

        Args:
            name: The fact.
            tables: The lake's tables of these days, at least the tables that the model reads.

        Raises:
            duckdb.Error: If the model cannot be computed from these tables.
        """
        with told_apart(self.path):
            published = self.published.table(name)
            columns = list(zip(published.columns, published.types, strict=True))
        model = self.models[name]
        for table in model.tables:
            self.memory.register(f"lake_{table}", tables[table])
        casts = ", ".join(f'"{column}"::{kind} as "{column}"' for column, kind in columns)
        return self.memory.sql(f"select {casts} from {model.sql}").to_arrow_table()  # noqa: S608  (of the project)
