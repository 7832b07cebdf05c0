"""Training of a model on corrections in this process, and a summary of the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from analytics_platform.defs.assets.learning_assets import ASSETS, promoted_model
from analytics_platform.defs.automation.learning_schedule import JOB
from analytics_platform.defs.framework.execution import execute
from analytics_platform.insights.heads.label_model import LabelModel
from analytics_platform.insights.quality import feedback
from analytics_platform.insights.quality.promotion_gate import evaluations_of
from analytics_platform.insights.tiers.examples import version_of
from analytics_platform.storage.partitions import PartitionStore


def train(definitions: dg.Definitions, instance: dg.DagsterInstance) -> list[str]:
    """Run the job ``weekly_learning`` in this process; return one line per failed step or check."""
    result = execute(definitions.resolve_job_def(JOB), instance)
    failures: list[str] = []
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity is not dg.AssetCheckSeverity.WARN:
                metadata = evaluation.metadata.get("problems")
                problems: Sequence[Any] = metadata.value if metadata else ["failed"]  # type: ignore[assignment]
                failures += [f"check {evaluation.check_name}: {problem}" for problem in problems]
    if not result.success and not failures:
        failures = [f"run {result.run_id} failed; open it in the UI (`make dev`)"]
    return failures


def summary(lake: PartitionStore, before: str, *, reads: bool = False) -> dict[str, Any]:
    """Return the result of a training, in the form of ``graph_commands.train_model``.

    Args:
        lake: The store of the learning tables.
        before: ``model_id`` of the model that labelled before.
        reads: Whether a transformer read the corrections, so that some may have been left out.
    """
    names = [asset.recipe.table.name for asset in ASSETS if asset is not promoted_model]
    if any(lake.info(name, "") is None for name in names):
        nothing = {"corrections": 0, "left_out": [], "llm": {"lessons": 0, "used": False}, "kinds": {}, "feedback": {}}
        return {"promoted": False, "changed": False, **nothing}
    tables = {name: lake.read(name, "") for name in names}
    candidate = tables["candidate_model"]["model_id"][0].as_py()
    gold, history = version_of(tables["gold_labels"]), tables["model_evaluation"]
    old, new = evaluations_of(history, before, gold), evaluations_of(history, candidate, gold)
    stored = lake.info("promoted_model", "")
    promoted = lake.read("promoted_model", "")["model_id"][0].as_py() if stored else None
    counts = tables["label_feedback"]["status"].value_counts().to_pylist()
    model = LabelModel(tables["candidate_model"]["content"][0].as_py())
    return {
        "promoted": promoted == candidate,
        "changed": promoted == candidate != before,
        "corrections": model.corrections,
        "llm": {"lessons": tables["llm_lessons"].num_rows, "used": model.learnt_of_llm > 0},
        "left_out": _left_out(tables["label_feedback"]) if reads else [],
        "kinds": {
            kind: {
                "items": row["items"],
                "before": old[kind]["accuracy"] if kind in old else None,
                "after": row["accuracy"],
            }
            for kind, row in new.items()
        },
        "feedback": {entry["values"]: entry["counts"] for entry in counts},
    }


def _left_out(label_feedback: pa.Table) -> list[str]:
    """Say which corrections a transformer left out because they were too many, one sentence per use."""
    uses = {"training": "trained on", "gold": "evaluated on"}
    chosen = {use: feedback.draw_taught(label_feedback, status)[1] for status, use in uses.items()}
    return [f"{use} {sentence}" for use, sentence in chosen.items() if sentence]
