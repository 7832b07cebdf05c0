"""The blocking check that a candidate model is no worse than the promoted model and the default model."""

# No `from __future__ import annotations`: Dagster reads the annotations of checks.

import dagster as dg

from analytics_platform.defs.assets.learning_assets import (
    candidate_model,
    gold_labels,
    model_evaluation,
    promotion_problems,
)
from analytics_platform.defs.checks.declarations import check_result
from analytics_platform.storage.partitions import PartitionStore


@dg.asset_check(
    asset=model_evaluation.key,
    additional_deps=[candidate_model.key, gold_labels.key],
    blocking=True,
    description="The candidate model matches as many gold labels as the promoted model and the default model, or fewer "
    "by no more than chance explains.",
    required_resource_keys={"stores", "insights"},
)
def no_worse_than_promoted(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Refuse a candidate that loses more gold labels than chance explains; see ``promotion_gate.why_worse``."""
    store: PartitionStore = context.resources.stores("lake")
    tables = (store.read(asset.recipe.table.name, "") for asset in (candidate_model, model_evaluation, gold_labels))
    return check_result(promotion_problems(context.resources.insights, *tables))
