"""Asset checks over stored partitions: each satisfies its table's declaration, and the row counts add up.

Put a check here when it belongs in the Dagster asset graph. ``model`` holds the rules of a table; dbt brings the tests
of the marts.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from analytics_platform.defs.assets import raw_assets
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.framework.isolation import in_one_line
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.framework.table_asset import TableAsset
from analytics_platform.model import Table, find_violations
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStore, StoreUnreachableError, stored_keys
from analytics_platform.storage.validated import Validated
from analytics_platform.system.plain_text import counted, plain_metadata

PROBLEMS_SHOWN = 20
FITS = "fits_its_declaration"
"""Name of the check that stored partitions satisfy their declaration."""
FITS_DESCRIPTION = (
    "Every stored partition is readable and unchanged since it was written; its columns, types, nulls, ranges, labels "
    "and keys are as its table declares. A partition that this run computed was validated before it was written; of "
    "such a partition only the checksum of its file is compared, and in MongoDB its entry in the ledger and the number "
    "of its documents."
)
COMPARED_NOTHING = "compared_nothing"
"""Metadata key of a check that had nothing to compare; the description says why."""


def days_of_run(context: dg.AssetCheckExecutionContext) -> list[str] | None:
    """Return the run's partitions; None for a run without partitions, whose checks cover all stored partitions."""
    if context.has_partition_key_range:
        asked = context.partition_key_range
        return days_between(dt.date.fromisoformat(asked.start), dt.date.fromisoformat(asked.end))
    return [context.partition_key] if context.has_partition_key else None


def declaration_check(asset: TableAsset) -> dg.AssetChecksDefinition:
    """Return the blocking check that the stored partitions of an asset satisfy its declaration."""
    recipe = asset.recipe

    @dg.asset_check(
        asset=asset.key,
        name=FITS,
        blocking=True,
        description=FITS_DESCRIPTION,
        required_resource_keys={"stores", "validated"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        store: PartitionStore = context.resources.stores(recipe.store)
        validated: Validated = context.resources.validated
        days = stored_days_of_run(context, store, recipe)
        unread = (day for day in days if not validated.covers(store, recipe.table.name, day, context.run.run_id))
        problems = problems_by_day(unread, partial(violations_of, store, recipe.table))
        return check_result(problems, partitions=len(days))

    return check


def stored_days_of_run(context: dg.AssetCheckExecutionContext, store: PartitionStore, recipe: Recipe) -> list[str]:
    """Return the run's partitions of a table that are stored; all stored ones for a run without partitions."""
    wanted = [""] if recipe.cadence is Cadence.WHOLE else days_of_run(context)
    return stored_keys(store, recipe.table.name, wanted)


def problems_by_day(days: Iterable[str], problems: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Yield the problems of each day, prefixed by the day. An error during the check of a day is a problem of the day.

    Raises:
        StoreUnreachableError: If the store cannot be reached.
    """
    for day in days:
        try:
            found = list(problems(day))
        except StoreUnreachableError:
            raise
        except Exception as error:  # noqa: BLE001  (one day that cannot be checked keeps no other from being checked)
            found = [in_one_line(error)]
        yield from (f"{day or 'all days'}: {problem}" for problem in found)


def violations_of(store: PartitionStore, table: Table, day: str) -> list[str]:
    """Return the rules of the declaration that a stored partition breaks, one phrase each."""
    content = store.read_verified(table.name, day) if isinstance(store, Lake) else store.read(table.name, day)
    return list(map(str, find_violations(table, content)))


@dg.asset_check(
    asset=raw_assets.raw_messages.key,
    additional_deps=[raw_assets.quarantined_rows.key, raw_assets.unplaced_rows.key],
    blocking=True,
    required_resource_keys={"stores"},
)
def rows_add_up(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """On every day, rows read from the source = rows in `raw_messages` + duplicates + rows in `quarantined_rows`.

    Rows that belong to no day = duplicates + rows in `unplaced_rows`.
    """
    store: PartitionStore = context.resources.stores("lake")
    days = stored_keys(store, "raw_messages", days_of_run(context))
    problems = [
        *problems_by_day(days, partial(_missing_rows, store)),
        *problems_by_day([""], lambda _: _missing_unplaced_rows(store)),
    ]
    return check_result(problems, partitions=len(days))


def _missing_unplaced_rows(store: PartitionStore) -> Iterator[str]:
    stored = store.info("unplaced_rows", "")
    if stored is not None:
        read, duplicates = int(stored.annotations["rows_read"]), int(stored.annotations["duplicates"])
        if read != stored.rows + duplicates:
            accounted = f"{counted(duplicates, 'duplicate')} + {stored.rows:,} in unplaced_rows"
            yield f"{counted(read, 'row')} read without a day, {accounted}"


def _missing_rows(store: PartitionStore, day: str) -> Iterator[str]:
    kept, quarantined = store.info("raw_messages", day), store.info("quarantined_rows", day)
    if kept is None:
        return  # listed a moment ago; another run is replacing it
    read, duplicates = int(kept.annotations["rows_read"]), int(kept.annotations["duplicates"])
    refused = quarantined.rows if quarantined else int(kept.annotations["quarantined"])  # if it was not selected
    if read != kept.rows + duplicates + refused:
        accounted = f"{kept.rows:,} kept + {counted(duplicates, 'duplicate')} + {refused:,} quarantined"
        yield f"{counted(read, 'row')} read, {accounted}"


def check_result(
    problems: Iterable[str],
    *,
    partitions: int | None = None,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """Return the result of a check, which passes if there is no problem.

    Args:
        problems: One line per problem.
        partitions: Number of checked partitions; None for a check that does not look at partitions. Zero partitions
            give the result of ``nothing_compared``.
        severity: Severity of a failure.
    """
    found = list(problems)
    if not found and partitions == 0:
        return nothing_compared("none of the selected partitions is stored", {"partitions_checked": 0})
    return dg.AssetCheckResult(
        passed=not found,
        severity=severity,
        metadata={
            **({} if partitions is None else {"partitions_checked": partitions}),
            "problems": plain_metadata(found[:PROBLEMS_SHOWN]),
            "problem_count": len(found),
        },
    )


def nothing_compared(reason: str, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    """Return the result of a check that had nothing to compare.

    Dagster has the results passed and failed, and for a failure the severities ERROR and WARN. A passed check would
    claim too much, and an ERROR would stop the steps after a blocking check. So the result is a warning, which Dagster
    shows in yellow and which stops nothing. ``analytics run`` and the alerts ignore it, because there is nothing to
    mend.

    Args:
        reason: Why there was nothing to compare, as a clause.
        metadata: Further metadata of the result.
    """
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Nothing was compared: {reason}.",
        metadata={COMPARED_NOTHING: True, **metadata},
    )


def compared_nothing(evaluation: dg.AssetCheckEvaluation) -> bool:
    """Tell whether a check result comes from ``nothing_compared``."""
    return COMPARED_NOTHING in evaluation.metadata


def all_checks(assets: Iterable[TableAsset]) -> list[dg.AssetChecksDefinition]:
    """Return the declaration check of each asset, and the check ``rows_add_up``."""
    return [*(declaration_check(asset) for asset in assets), rows_add_up]
