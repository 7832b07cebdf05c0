"""The checks of a MongoDB collection that the lake gives: one step, and one reading of MongoDB, for all of them.

A partition that equals the result of the lake fits its declaration if the result does, so the documents are not read a
second time. Documents that this run has just written are not read back at all, but for a sample of days: the ledger
entry and the server's count of the documents are compared with the record of the write. The nightly job reads all.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.checks.declarations import (
    FITS,
    FITS_DESCRIPTION,
    check_result,
    days_of_run,
    problems_by_day,
    stored_days_of_run,
    violations_of,
)
from analytics_platform.defs.consistency.audit import Audit, OnEqual
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.model import find_violations
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.agreement import Disagreement
from analytics_platform.storage.validated import Validated

AGREES = "agrees_with_the_lake"
AGREES_DESCRIPTION = (
    "The stored rows of these days equal the rows computed again from the lake: the same number of rows and the same "
    "content hash."
)
DAYS_PER_SAMPLE = 30
"""Of this many partitions that a run has written, its checks read one back; of fewer they read one, too."""
READ_BACK = "partitions_read_back"
"""Metadata of a check: the number of partitions whose documents were read."""

AuditOf = Callable[[dg.AssetCheckExecutionContext], Audit]
"""Returns the audit of the stores that are resources of a check."""


def collection_check(name: str, recipe: Recipe, audit_of: AuditOf) -> dg.AssetChecksDefinition:
    """Return the blocking checks of one collection.

    Args:
        name: Name of the collection's asset.
        recipe: The recipe of the collection.
        audit_of: Returns the audit of the stores.
    """
    of_written = (
        "Of the days that this run has written, the ledger and the number of documents are compared with what the run "
        f"wrote; one day of {DAYS_PER_SAMPLE} is read back."
    )
    key = dg.AssetKey.from_user_string(name)
    specs = [
        dg.AssetCheckSpec(FITS, asset=key, blocking=True, description=FITS_DESCRIPTION),
        dg.AssetCheckSpec(AGREES, asset=key, blocking=True, description=f"{AGREES_DESCRIPTION} {of_written}"),
    ]

    @dg.multi_asset_check(
        name=f"{'__'.join(key.path)}_checks",
        specs=specs,
        can_subset=True,
        required_resource_keys={"stores", "marts", "validated"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        results = _results(context, recipe, audit_of(context))
        for selected in sorted(context.selected_asset_check_keys):
            yield results[selected.name]._replace(asset_key=key, check_name=selected.name)

    return check


def _results(context: dg.AssetCheckExecutionContext, recipe: Recipe, audit: Audit) -> dict[str, dg.AssetCheckResult]:
    """Return the result of each check by its name."""
    name, store, run_id = recipe.table.name, audit.documents, context.run.run_id
    validated: Validated = context.resources.validated
    stored, days = stored_days_of_run(context, store, recipe), days_of_run(context)
    written = [key for key in stored if validated.covers(store, name, key, run_id)]
    proven = frozenset(written).difference(_sample(run_id, recipe, written))
    equal: dict[str, list[str]] = {key: [] for key in proven}

    def note(key: str, expected: pa.Table) -> None:
        equal[key] = list(map(str, find_violations(recipe.table, expected)))

    def violations(key: str) -> list[str]:
        return equal[key] if key in equal else violations_of(store, recipe.table, key)

    disagreements = [str(found) for found in _compared(audit, recipe, days, proven, note)]
    results = {
        FITS: check_result(problems_by_day(stored, violations), partitions=len(stored)),
        AGREES: check_result(disagreements, partitions=len(stored)),
    }
    read = {READ_BACK: dg.MetadataValue.int(len(stored) - len(proven))}
    return {check: one._replace(metadata={**one.metadata, **read}) for check, one in results.items()}


def _compared(
    audit: Audit, recipe: Recipe, days: Collection[str] | None, proven: frozenset[str], on_equal: OnEqual
) -> Iterator[Disagreement]:
    """Yield the disagreements of a run's partitions, but of those that are proven by the record of their write."""
    if not proven:
        return audit.of_collection(recipe, None if days is None else frozenset(days), on_equal)
    if recipe.cadence is Cadence.WHOLE:
        return iter(())
    return audit.of_collection(recipe, frozenset(days or ()).difference(proven), on_equal)


def _sample(run_id: str, recipe: Recipe, written: Collection[str]) -> list[str]:
    """Return the written partitions to read back all the same; another run takes others.

    Of daily partitions it is at least one. A table of one partition is read back by one run of ``DAYS_PER_SAMPLE``.
    """
    draw = {key: int(hashlib.sha256(f"{run_id}/{recipe.table.name}/{key}".encode()).hexdigest(), 16) for key in written}
    if recipe.cadence is Cadence.WHOLE:
        return [key for key in written if draw[key] % DAYS_PER_SAMPLE == 0]
    return sorted(written, key=draw.__getitem__)[: -(-len(written) // DAYS_PER_SAMPLE)]
