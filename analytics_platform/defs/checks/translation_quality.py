"""The check ``translations_are_good``, which warns of days on which many translations are of low quality.

It stops nothing, because the quality is an estimate; ``insights.llm.translating.quality_estimate`` holds the measures.
"""

# No `from __future__ import annotations`: Dagster reads the annotations of checks.

from collections.abc import Iterator
from functools import partial

import dagster as dg
import pyarrow.compute as pc

from analytics_platform.defs.assets.llm_assets import message_translations
from analytics_platform.defs.checks.declarations import check_result, days_of_run, problems_by_day
from analytics_platform.insights.llm.translating.quality_estimate import LENGTH_RATIOS, LOW_QUALITY
from analytics_platform.storage.partitions import PartitionStore, stored_keys
from analytics_platform.system.plain_text import counted

MOST_LOW = 0.3
"""Largest share of low-quality translations on a day: of good translations, 22 % are low in the worst language."""
FEWEST = 20
"""Fewest translations of a day that are judged; of fewer, chance makes a third low."""
_EXAMPLES = 3
_COLUMNS = ["conversation_id", "message_id", "quality", "length_ratio"]


@dg.asset_check(asset=message_translations.key, required_resource_keys={"stores"})
def translations_are_good(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns when more than 30 % of a day's translations have a quality below 0.3 or an unusual length."""
    store: PartitionStore = context.resources.stores("lake")
    name = message_translations.recipe.table.name
    stored = stored_keys(store, name, days_of_run(context))
    days = [day for day in stored if (info := store.info(name, day)) is not None and info.rows >= FEWEST]
    problems = problems_by_day(days, partial(_too_many_low, store, name))
    return check_result(problems, partitions=len(days), severity=dg.AssetCheckSeverity.WARN)


def _too_many_low(store: PartitionStore, name: str, day: str) -> Iterator[str]:
    table = store.read(name, day, _COLUMNS)
    least, most = LENGTH_RATIOS
    unlike = pc.less(pc.fill_null(table["quality"], 1.0), LOW_QUALITY)
    uneven = pc.or_(pc.less(table["length_ratio"], least), pc.greater(table["length_ratio"], most))
    low = table.filter(pc.or_(unlike, uneven))
    if low.num_rows > MOST_LOW * table.num_rows:
        worst = low.sort_by("quality").slice(0, _EXAMPLES).to_pylist()
        named = ", ".join(f"{row['message_id']} of {row['conversation_id']}" for row in worst)
        yield (
            f"{low.num_rows:,} of {counted(table.num_rows, 'translation')} ({low.num_rows / table.num_rows:.0%}) "
            f"are of low quality: {pc.sum(unlike).as_py():,} below {LOW_QUALITY}, {pc.sum(uneven).as_py():,} "
            f"with a length outside {least} to {most} times the original's; examples: {named}"
        )
