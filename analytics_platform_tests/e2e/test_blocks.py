"""Tables of the demo, which a run computes in blocks of days, equal the tables of each day computed alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.staleness import RecomputePolicy
from analytics_platform_tests.e2e.commands import Finished
from analytics_platform_tests.sizes import by_day_or_night

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RECIPES = [asset.recipe for asset in TABLES if asset.recipe.spans_days]


@pytest.fixture(scope="module")
def platform(demo: tuple[Path, Finished]) -> Platform:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANALYTICS_HOME", str(demo[0]))
        return Platform(load_settings())


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.table.name)
def test_a_day_alone_gives_what_its_block_gave(platform, recipe):
    """A function that mixes days would be right for each day alone and wrong in every run."""
    lake, given = platform.lake, platform.recipe_resources()
    streams = {name: PartitionStream(lake, i.table, lake.keys(i.table)) for name, i in recipe.inputs.items()}
    resources = {name: given[name] for name in recipe.resources}
    days = lake.keys(recipe.table.name)
    assert recipe.block(streams, resources).compute(days[:20]).num_rows  # the block has something to mix
    for day in days[:: by_day_or_night(17, 1)]:
        task = recipe.task(day, streams, resources, policy=RecomputePolicy.EVERYTHING)
        alone = recipe.table.conform(task.compute())
        assert content_hash(alone) == lake.info(recipe.table.name, day).content_hash
