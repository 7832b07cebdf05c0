"""The job ``on_demand_store_repair``, which repairs disagreeing partitions and records the repair in Dagster.

The event history gets a materialization of the asset for each repaired partition, and a new result of the check for
each comparison. ``repairer`` holds the order and the rules of the repair.
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from analytics_platform.defs.checks.declarations import FITS, PROBLEMS_SHOWN
from analytics_platform.defs.consistency.audit import EVERY_TABLE, Audit
from analytics_platform.defs.consistency.collection_checks import AGREES
from analytics_platform.defs.consistency.repairer import Repair, RepairedPartition, Repairer
from analytics_platform.defs.framework.day_ranges import days_between
from analytics_platform.defs.framework.execution import execute
from analytics_platform.defs.framework.recipe import Recipe
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.storage.io_manager import partition_metadata
from analytics_platform.storage.warehouse.facts import FACTS
from analytics_platform.system.plain_text import on_one_line, plain_metadata, without_controls

STORE_REPAIR = "on_demand_store_repair"
MEND = "mend_stores"


class RepairConfig(dg.Config):
    """Which days to look at.

    Attributes:
        first_day: First day, ``YYYY-MM-DD``; every day that is stored when empty.
        last_day: Last day, inclusive; the first one when empty.
    """

    first_day: str = ""
    last_day: str = ""

    @property
    def days(self) -> list[str] | None:
        """The days from the first to the last; None for all stored days."""
        if not self.first_day:
            return None
        first, last = (dt.date.fromisoformat(day) for day in (self.first_day, self.last_day or self.first_day))
        return days_between(first, last)


def find_disagreements(platform: Platform, tables: Mapping[str, Recipe], days: Sequence[str] | None) -> Repair:
    """Return the disagreements that a repair would find, without repairing any.

    Args:
        platform: The platform whose stores are compared.
        tables: As for ``build_repair_job``.
        days: Days to compare; all stored days when None.
    """
    disagreements = list(dict.fromkeys(_audit(platform, tables).all(None if days is None else frozenset(days))))
    return Repair(found=disagreements, left=disagreements)


def run_repair(
    platform: Platform,
    tables: Mapping[str, Recipe],
    days: Sequence[str] | None,
    instance: dg.DagsterInstance,
) -> Repair:
    """Run the repair job in this process and return its result.

    Args:
        platform: The platform whose stores are repaired.
        tables: As for ``build_repair_job``.
        days: Days to compare, ascending, without gaps; all stored days when None.
        instance: The Dagster instance that records the run.
    """
    outcomes: list[Repair] = []
    config = {"first_day": days[0], "last_day": days[-1]} if days else {}
    with contextlib.suppress(dg.Failure):  # a disagreement is left; the outcome lists it
        job = build_repair_job(platform, tables, outcomes.append)
        execute(job, instance, run_config={"ops": {MEND: {"config": config}}}, raise_on_error=True)
    return outcomes[0]


def build_repair_job(
    platform: Platform,
    tables: Mapping[str, Recipe],
    on_repair: Callable[[Repair], None] = lambda _: None,
) -> dg.JobDefinition:
    """Return the job. Nothing is contacted before it runs.

    Args:
        platform: The platform whose stores are repaired.
        tables: The recipe of every table by the name of its asset, each after the tables it is computed from.
        on_repair: Called with the result of the repair, also if a disagreement is left.
    """
    names = {(recipe.store, recipe.table.name): name for name, recipe in tables.items()}
    names |= {("warehouse", name): name for name in FACTS}
    keys = {place: dg.AssetKey.from_user_string(name) for place, name in names.items()}

    @dg.op(name=MEND)
    def mend_stores(context: dg.OpExecutionContext, config: RepairConfig) -> None:
        """Compute again exactly the partitions that disagree with the lake, and compare once more."""
        audit = _audit(platform, tables)
        repairer = Repairer(
            audit,
            platform.recipe_resources(),
            lambda level, text: context.log.log(level.upper(), without_controls(text)),
        )
        days = config.days
        limits = platform.settings
        first, last = (days[0], days[-1]) if days else (str(limits.first_day), str(limits.last_day))
        with platform.hold_days(first, last):
            repair = repairer.repair(days)
        for repaired in repair.mended:
            context.log_event(_materialization(keys[repaired.store, repaired.table], repaired))
        checked = [*audit.collections, *(recipe for recipe in tables.values() if _was_repaired(recipe, repair))]
        places = [(recipe.store, recipe.table.name) for recipe in checked] + [("warehouse", name) for name in FACTS]
        for store, table in places:
            problems = [str(one) for one in repair.left if one.store == store and one.table in (table, EVERY_TABLE)]
            verdict = _verdict(keys[store, table], FITS if store == "lake" else AGREES, problems)
            context.log_event(verdict)  # type: ignore[arg-type]  # it takes verdicts; its annotation lacks them
        for found in repair.found:
            context.log.warning(on_one_line(str(found)))
        on_repair(repair)
        if repair.left:
            raise dg.Failure(on_one_line("; ".join(map(str, repair.left[:PROBLEMS_SHOWN]))), allow_retries=False)

    @dg.job(
        name=STORE_REPAIR,
        description="Compares every stored partition of the lake, MongoDB and the warehouse, computes "
        "damaged and disagreeing partitions again, and compares once more.",
        executor_def=dg.in_process_executor,
    )
    def store_repair() -> None:
        mend_stores()

    return store_repair


def _audit(platform: Platform, tables: Mapping[str, Recipe]) -> Audit:
    return Audit(platform.lake, platform.mongo_if_any, platform.marts, tuple(tables.values()))


def _was_repaired(recipe: Recipe, repair: Repair) -> bool:
    touched = {(one.store, one.table) for one in repair.mended} | {(one.store, one.table) for one in repair.left}
    return recipe.store == "lake" and ("lake", recipe.table.name) in touched


def _materialization(key: dg.AssetKey, repaired: RepairedPartition) -> dg.AssetMaterialization:
    metadata = partition_metadata(repaired.info, ("repair",)) if repaired.info else {}
    return dg.AssetMaterialization(key, partition=repaired.day or None, metadata={**metadata, "repaired": True})


def _verdict(key: dg.AssetKey, name: str, problems: Sequence[str]) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key,
        check_name=name,
        passed=not problems,
        metadata={"problems": plain_metadata(list(problems[:PROBLEMS_SHOWN])), "problem_count": len(problems)},
        blocking=True,
    )
