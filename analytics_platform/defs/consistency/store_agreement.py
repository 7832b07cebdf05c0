"""The blocking checks that MongoDB and the warehouse agree with the lake, and the nightly job of all these checks.

In a run, the checks compare the run's days; `collection_checks` makes the checks of MongoDB. The nightly job compares
every stored day, because no event reports a document that was edited by hand. When a check fails, reports and customer
profiles are not computed, because they depend on ``operational_assets.AGREEING``.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import dagster as dg

from analytics_platform.defs.checks.declarations import FITS, check_result, days_of_run
from analytics_platform.defs.consistency.audit import Audit, rederivable
from analytics_platform.defs.consistency.collection_checks import (
    AGREES,
    AGREES_DESCRIPTION,
    AuditOf,
    collection_check,
)
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.storage.warehouse.facts import FACTS

STORE_AGREEMENT = "nightly_store_agreement"


def agreement_checks(
    tables: Mapping[str, Recipe], hold_days: Callable[[str, str], AbstractContextManager[None]]
) -> list[dg.AssetChecksDefinition]:
    """Return the checks of every collection and fact that can be computed again from the lake alone.

    The checks of a collection include ``fits_its_declaration``, for which no other check is needed.

    Args:
        tables: The recipe of every table by the name of its asset, each after the tables it is computed from.
        hold_days: Returns a context that keeps all runs away from a range of days.
    """
    recipes = tuple(tables.values())
    has_mongo = any(recipe.store == "mongo" for recipe in recipes)

    def audit_of(context: dg.AssetCheckExecutionContext) -> Audit:
        stores = context.resources.stores
        return Audit(
            stores("lake"), stores("mongo") if has_mongo else None, context.resources.marts, recipes, hold_days
        )

    return [
        *(collection_check(name, tables[name], audit_of) for name in compared_collections(tables)),
        *(_fact_check(name, audit_of) for name in FACTS),
    ]


def compared_collections(tables: Mapping[str, Recipe]) -> list[str]:
    """Return the names of the assets of collections that can be computed again from the lake alone."""
    return [name for name, recipe in tables.items() if recipe.store == "mongo" and rederivable(recipe)]


def _fact_check(name: str, audit_of: AuditOf) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey(name),
        name=AGREES,
        blocking=True,
        description=AGREES_DESCRIPTION,
        required_resource_keys={"stores", "marts"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        audit = audit_of(context)
        days = days_of_run(context)
        # The nightly check also reads the tables of the warehouse that are not compared.
        found = audit.of_facts(frozenset(days), [name]) if days is not None else audit.of_warehouse(names=[name])
        problems = [str(disagreement) for disagreement in found]
        stored = sum(days is None or day in days for day in audit.marts.warehouse.days())
        return check_result(problems, partitions=stored)

    return check


def agreement_schedule(
    tables: Mapping[str, Recipe], checks: Sequence[dg.AssetChecksDefinition]
) -> dg.ScheduleDefinition:
    """Return the nightly schedule of the job that checks every day of every store. The job computes nothing.

    Args:
        tables: As for ``agreement_checks``.
        checks: The result of ``agreement_checks``.
    """
    whole = [
        dg.AssetCheckKey(dg.AssetKey.from_user_string(name), FITS)
        for name, recipe in tables.items()
        if recipe.store == "lake"
    ]
    keys = [*whole, *(key for check in checks for key in check.check_keys if key.name == AGREES)]
    job = dg.define_asset_job(
        STORE_AGREEMENT,
        selection=dg.AssetSelection.checks(*keys),
        description="Checks every stored day: the files of the lake are unchanged since they were written, and the "
        "rows in MongoDB and the warehouse equal those computed from the lake. Writes nothing.",
    )
    return dg.ScheduleDefinition(
        name="store_agreement_nightly",
        job=job,
        cron_schedule="30 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
