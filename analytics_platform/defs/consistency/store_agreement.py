"""The blocking checks that MongoDB and the warehouse agree with the lake, and the nightly job of all these checks.

In a run, the checks compare the run's days. The nightly job compares every stored day, because no event reports a
document that was edited by hand. When a check fails, reports and customer profiles are not computed, because they
depend on ``operational_assets.AGREEING``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import dagster as dg

from analytics_platform.defs.checks.declarations import check_result, days_of_run
from analytics_platform.defs.consistency.audit import Audit, rederivable
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.agreement import Disagreement
from analytics_platform.storage.warehouse.facts import FACTS

AGREES = "agrees_with_the_lake"
FITS = "fits_its_declaration"
STORE_AGREEMENT = "nightly_store_agreement"

_DESCRIPTION = (
    "The stored rows of these days equal the rows computed again from the lake: the same number of rows and the same "
    "content hash."
)


def agreement_checks(
    tables: Mapping[str, Recipe], hold_days: Callable[[str, str], AbstractContextManager[None]]
) -> list[dg.AssetChecksDefinition]:
    """Return the check of every collection and fact that can be computed again from the lake alone.

    Args:
        tables: The recipe of every table by the name of its asset, each after the tables it is computed from.
        hold_days: Returns a context that keeps all runs away from a range of days.
    """
    recipes = tuple(tables.values())
    collections = {name: recipe for name, recipe in tables.items() if recipe.store == "mongo" and rederivable(recipe)}
    return [
        *(_agreement_check(name, recipes, recipe, hold_days) for name, recipe in collections.items()),
        *(_agreement_check(name, recipes, name, hold_days) for name in FACTS),
    ]


def _agreement_check(
    asset: str,
    recipes: Sequence[Recipe],
    what: Recipe | str,
    hold_days: Callable[[str, str], AbstractContextManager[None]],
) -> dg.AssetChecksDefinition:
    """Return the check of one asset.

    Args:
        asset: Name of the asset.
        recipes: The recipe of every table.
        what: The recipe of a collection, or the name of a fact.
        hold_days: As for ``agreement_checks``.
    """
    has_mongo = any(one.store == "mongo" for one in recipes)

    @dg.asset_check(
        asset=dg.AssetKey.from_user_string(asset),
        name=AGREES,
        blocking=True,
        description=_DESCRIPTION,
        required_resource_keys={"stores", "marts"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        stores = context.resources.stores
        mongo = stores("mongo") if has_mongo else None
        audit = Audit(stores("lake"), mongo, context.resources.marts, recipes, hold_days)
        days = days_of_run(context)
        problems = [str(found) for found in _disagreements(audit, what, days)]
        return check_result(problems, partitions=_stored_partitions(audit, what, days))

    return check


def _stored_partitions(audit: Audit, what: Recipe | str, days: Sequence[str] | None) -> int:
    """Return the number of stored partitions that the check compares."""
    stored = audit.marts.warehouse.days() if isinstance(what, str) else audit.documents.keys(what.table.name)
    daily = isinstance(what, str) or what.cadence is Cadence.DAILY
    return sum(days is None or not daily or key in days for key in stored)


def _disagreements(audit: Audit, what: Recipe | str, days: Sequence[str] | None) -> Iterator[Disagreement]:
    wanted = None if days is None else frozenset(days)
    if isinstance(what, str):  # the nightly check also reads tables that are not compared
        return audit.of_facts(wanted, [what]) if days is not None else audit.of_warehouse(names=[what])
    return audit.of_collection(what, wanted)


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
    keys = [*whole, *(key for check in checks for key in check.check_keys)]
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
