"""When a model is evaluated again, on a few gold labels, and which checks make training fail."""

from __future__ import annotations

import copy
import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.defs.assets.learning_assets import model_evaluation
from analytics_platform.defs.automation.learning_schedule import JOB
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.tiers.examples import shipped_gold
from analytics_platform.model import find_violations
from analytics_platform.model.learning_tables import CANDIDATE_MODEL, MODEL_EVALUATION
from analytics_platform.operations.training import train
from analytics_platform.storage.lake import Lake

NOON = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)


class Training:
    """The default heads as candidate, evaluated on a few gold labels, and evaluations stored."""

    def __init__(self, path: str) -> None:
        self.lake = Lake.open(path)
        self.gold = shipped_gold()[:30]

    def evaluate(self, version: str) -> pa.Table:
        """Return what is known after another evaluation by an engine of this version."""
        insights = Insights("static", "cpu", None, lambda: self.lake)
        engine = copy.copy(build_engine())
        engine.__dict__["version"] = version
        insights.engine_of = lambda _: engine  # type: ignore[method-assign]
        model = insights.default_model
        names = ("model_id", "taxonomy_version", "encoder", "corrections", "content")
        candidate = CANDIDATE_MODEL.from_rows([{name: getattr(model, name) for name in names}])
        return model_evaluation.recipe.compute(candidate_model=candidate, gold_labels=self.gold, insights=insights)

    def store(self, evaluations: pa.Table) -> None:
        """Store them as of long ago."""
        field = evaluations.schema.field("evaluated_at")
        long_ago = pa.array([NOON] * evaluations.num_rows, field.type)
        self.lake.write(MODEL_EVALUATION.name, "", evaluations.set_column(0, field, [long_ago]), "")


@pytest.fixture
def training(tmp_path) -> Training:
    return Training(str(tmp_path))


@pytest.mark.slow
def test_a_model_is_evaluated_again_when_the_engine_that_answers_has_changed(training):
    first = training.evaluate("one")
    assert set(first["engine_version"].to_pylist()) == {"one"}
    training.store(first)
    assert training.evaluate("one").num_rows == first.num_rows
    again = training.evaluate("two")
    assert again["engine_version"].to_pylist() == ["one"] * first.num_rows + ["two"] * first.num_rows
    assert find_violations(MODEL_EVALUATION, MODEL_EVALUATION.conform(again)) == []


def test_evaluations_from_before_the_engine_was_kept_stay_and_count_no_more(training):
    first = training.evaluate("one")
    training.store(first.drop_columns("engine_version"))
    again = training.evaluate("one")
    assert again["engine_version"].to_pylist() == [None] * first.num_rows + ["one"] * first.num_rows


@pytest.mark.parametrize(
    ("severity", "metadata", "failures"),
    [
        ("WARN", {"problems": ["odd"]}, []),
        ("ERROR", {"problems": ["odd", "odder"]}, ["check judged: odd", "check judged: odder"]),
        ("ERROR", {}, ["check judged: failed"]),
    ],
)
def test_a_check_that_fails_is_told_and_one_that_warns_is_not(severity, metadata, failures):
    @dg.asset
    def model() -> None: ...

    @dg.asset_check(asset=model)
    def judged() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity(severity), metadata=metadata)

    definitions = dg.Definitions(assets=[model], asset_checks=[judged], jobs=[dg.define_asset_job(JOB)])
    with dg.DagsterInstance.ephemeral() as instance:
        assert train(definitions, instance) == failures
