"""The facts of the warehouse: what is published of a day, and what the dbt models make of a day of the lake.

The second runs the very SQL of ``dbt_project/`` on the day's tables, in memory and without dbt: a second description of
the facts could differ from the first.
Belongs here: these two readings. Does not belong here: comparing them (``agreement``), building the marts (``marts``).
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

FACTS: Mapping[str, str] = MappingProxyType({"fct_conversation": "conversation_id", "fct_message": "message_id"})
"""Each fact with the column that identifies its rows."""


@dataclass(frozen=True)
class Model:
    """A fact's SQL over tables ``lake_<name>``.

    Attributes:
        sql: The query.
        tables: Names of the lake's tables that it reads.
    """

    sql: str
    tables: tuple[str, ...]


def render(project_dir: Path, name: str) -> Model:
    """Return the SQL of a dbt model with all that it refers to inside it.

    Args:
        project_dir: The dbt project.
        name: A model that needs no more of dbt than ``ref``, ``source``, ``lake_files`` and macros that need
            no more themselves.

    Raises:
        FileNotFoundError: If there is no such model.
        jinja2.UndefinedError: If the model needs more of dbt.
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
    """The facts of one published file; opened for reading alone.

    Args:
        path: The published file.
        project_dir: The dbt project that it is built with.
    """

    path: Path
    project_dir: Path

    @cached_property
    def models(self) -> Mapping[str, Model]:
        """The SQL of each fact."""
        return {name: render(self.project_dir, name) for name in FACTS}

    @contextmanager
    def open(self) -> Iterator[OpenFacts | None]:
        """Open the published file; None when nothing is published yet.

        Raises:
            DamagedWarehouseError: If the published file does not hold what was written, now or during the block.
            WarehouseError: If it cannot be read for another reason.
        """
        if not self.path.exists():
            yield None
            return
        with duckdb.connect() as memory, reading(self.path) as published:
            memory.execute("set timezone = 'UTC'")
            yield OpenFacts(self.path, published, memory, self.models)


@dataclass(frozen=True)
class OpenFacts:
    """The facts while their file is open; made by ``Facts.open``.

    Whatever reads the published file raises what ``warehouse.told_apart`` says.
    """

    path: Path
    published: duckdb.DuckDBPyConnection
    memory: duckdb.DuckDBPyConnection
    models: Mapping[str, Model]

    def days(self, name: str) -> list[str]:
        """Return the days that a fact has rows of, ascending."""
        with told_apart(self.path):
            rows = self.published.table(name).project("date::varchar as day").distinct().order("day")
            return [day for (day,) in rows.fetchall()]

    def held(self, name: str, days: Sequence[str]) -> pa.Table:
        """Return what is published of some days."""
        query = f"from {name} where date in (select unnest(?::date[]))"
        with told_apart(self.path):
            return self.published.sql(query, params=[list(days)]).to_arrow_table()

    def given(self, name: str, tables: Mapping[str, pa.Table]) -> pa.Table:
        """Return what the model makes of days of the lake, in the columns and types of the published table.

        Args:
            name: The fact.
            tables: The lake's tables of these days, at least those that the model reads.

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
