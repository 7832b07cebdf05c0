"""Asset checks: blocking, where data would be wrong.

Belongs here: checks over stored partitions. Does not belong here: the rules of a table (``model``), and the
marts' tests, which dbt brings with it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.framework.isolation import in_one_line
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.model import Table, find_violations
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStore, StoreUnreachableError
from analytics_platform.system.plain_text import plain_metadata

PROBLEMS_SHOWN = 20
COMPARED_NOTHING = "compared_nothing"
"""Metadata of a check that had nothing to look at, beside a description that says why."""


def days_of_run(context: dg.AssetCheckExecutionContext) -> list[str] | None:
    """Return the partitions that the run is about, or None when it is about none (then: all that are stored)."""
    if context.has_partition_key_range:
        days = dg.DailyPartitionsDefinition(start_date=context.partition_key_range.start, end_offset=1)
        return list(days.get_partition_keys_in_range(context.partition_key_range))
    return [context.partition_key] if context.has_partition_key else None


def declaration_check(asset: TableAsset) -> dg.AssetChecksDefinition:
    """Return the blocking check that an asset's stored partitions satisfy their declaration."""
    recipe = asset.recipe

    @dg.asset_check(
        asset=asset.key,
        name="fits_its_declaration",
        blocking=True,
        description="Every stored partition is readable and unchanged since it was written; its columns, types, nulls, "
        "ranges, labels and keys are as its table declares.",
        required_resource_keys={"stores"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        store: PartitionStore = context.resources.stores(recipe.store)
        wanted = [""] if recipe.cadence is Cadence.WHOLE else days_of_run(context)
        days = [day for day in store.keys(recipe.table.name) if wanted is None or day in wanted]
        problems = problems_by_day(days, partial(_violations, store, recipe.table))
        return check_result(problems, partitions=len(days))

    return check


def problems_by_day(days: Iterable[str], problems: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield the problems of each day, under its name; that a day cannot be checked is one of its problems.

    Raises:
        StoreUnreachableError: If no day can be checked.
    """
    for day in days:
        try:
            found = list(problems(day))
        except StoreUnreachableError:
            raise
        except Exception as error:  # noqa: BLE001  (one day that cannot be checked keeps no other from being checked)
            found = [in_one_line(error)]
        yield from (f"{day or 'all days'}: {problem}" for problem in found)


def _violations(store: PartitionStore, table: Table, day: str) -> list[str]:
    content = store.read_verified(table.name, day) if isinstance(store, Lake) else store.read(table.name, day)
    return list(map(str, find_violations(table, content)))


@dg.asset_check(
    asset=raw_assets.raw_messages.key,
    additional_deps=[raw_assets.quarantined_rows.key],
    blocking=True,
    required_resource_keys={"stores"},
)
def rows_add_up(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """On every day, rows read from the source = rows in `raw_messages` + duplicates + rows in `quarantined_rows`."""
    store: PartitionStore = context.resources.stores("lake")
    wanted = days_of_run(context)
    days = [day for day in store.keys("raw_messages") if wanted is None or day in wanted]
    return check_result(problems_by_day(days, partial(_missing_rows, store)), partitions=len(days))


def _missing_rows(store: PartitionStore, day: str) -> Iterator[str]:
    kept, quarantined = store.info("raw_messages", day), store.info("quarantined_rows", day)
    if kept is None:
        return  # listed a moment ago; another run is replacing it
    read, duplicates = int(kept.annotations["rows_read"]), int(kept.annotations["duplicates"])
    refused = quarantined.rows if quarantined else int(kept.annotations["quarantined"])  # where it was not selected
    if read != kept.rows + duplicates + refused:
        accounted = f"{kept.rows} kept + {duplicates} duplicates + {refused} quarantined"
        yield f"{read} rows read, {accounted}"


def check_result(problems: Iterable[str], *, partitions: int | None = None) -> dg.AssetCheckResult:
    """Return the outcome of a check: it passes when there is no problem.

    Args:
        problems: What is wrong, a line each.
        partitions: How many partitions were looked at, where the check looks at partitions; with none the result is
            that of ``nothing_compared``.
    """
    found = list(problems)
    if not found and partitions == 0:
        return nothing_compared("none of the partitions asked for is stored", {"partitions_checked": 0})
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            **({} if partitions is None else {"partitions_checked": partitions}),
            "problems": plain_metadata(found[:PROBLEMS_SHOWN]),
            "problem_count": len(found),
        },
    )


def nothing_compared(reason: str, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Return the outcome of a check that had nothing to look at.

    Dagster knows passed and failed, and the severities ERROR and WARN. "Passed" claims more than the check knows, and
    ERROR would stop what comes after a blocking check. So it is a warning, which Dagster shows in yellow and which
    stops nothing; ``analytics run`` and the alerts pass over it, because nobody has anything to mend.

    Args:
        reason: Why there was nothing to look at, as a clause.
        metadata: What the check shows beside.
    """
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Nothing was compared: {reason}.",
        metadata={COMPARED_NOTHING: True, **metadata},
    )


def compared_nothing(evaluation: dg.AssetCheckEvaluation) -> bool:
    """Tell whether an outcome is one of ``nothing_compared``."""
    return COMPARED_NOTHING in evaluation.metadata


def all_checks(assets: Iterable[TableAsset]) -> list[dg.AssetChecksDefinition]:
    """Return every check of the stored tables."""
    return [*(declaration_check(asset) for asset in assets), rows_add_up]
