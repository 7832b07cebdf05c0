"""Names of the everyday tables, from their declarations alone: a mistyped name is refused without importing Dagster.

`everyday.recipes_of` and `dbt_project.mart_names` are exact, and take longer to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from analytics_platform.model import Table
from analytics_platform.model.tables import (
    analytics_tables,
    clean_tables,
    error_tables,
    insight_tables,
    llm_tables,
    operational_tables,
    raw_tables,
    topic_tables,
    translation_tables,
)

_LAKE = (
    raw_tables,
    clean_tables,
    insight_tables,
    error_tables,
    llm_tables,
    translation_tables,
    topic_tables,
    analytics_tables,
)
_COLLECTIONS = (
    operational_tables.CONVERSATION_ANALYTICS,
    operational_tables.CONVERSATION_MESSAGES,
    operational_tables.CONVERSATION_CATEGORIES,
    operational_tables.CONVERSATION_TRANSLATIONS,
    operational_tables.USER_PROFILES,
)
_REPORTS = {
    "daily_report": operational_tables.DAILY_REPORTS,
    "daily_report_page": operational_tables.DAILY_REPORT_PAGES,
}
"""Reports by asset: the name of an asset names the report's cadence, the name of its table the collection or folder."""
_STAGING = "staging"


def names_of_assets(project_dir: Path) -> list[str]:
    """Return the names of all everyday tables, as assets are named, ascending.

    Args:
        project_dir: The dbt project. Its models are tables of the warehouse, without the folder ``staging``.
    """
    marts = (path.stem for path in project_dir.glob("models/**/*.sql") if path.parent.name != _STAGING)
    return sorted({*_declared(), *marts})


def may_be_table(name: str, project_dir: Path) -> bool:
    """Tell whether a name may be an everyday table's: its asset's, with or without the group, or its own."""
    models = (path.stem for path in project_dir.glob("models/**/*.sql"))
    return name in {*_declared(), *models} or any(
        name in (asset.rpartition("/")[2], table.name, table.base_name) for asset, table in _declared().items()
    )


def unknown_table(name: str, names: Iterable[str]) -> str:
    """Return the refusal of a name that no table has, with the names that there are."""
    return f"why {name}: there is no such table; there are {', '.join(sorted(names))}"


def _declared() -> Mapping[str, Table]:
    """Return the declarations by the name of their asset."""
    lake = {table.name: table for module in _LAKE for table in _tables(module)}
    return {**lake, **{f"mongo/{table.name}": table for table in _COLLECTIONS}, **_REPORTS}


def _tables(module: ModuleType) -> list[Table]:
    return [value for value in vars(module).values() if isinstance(value, Table)]
