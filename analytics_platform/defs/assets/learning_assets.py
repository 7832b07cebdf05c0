"""The ``learning`` group: corrections, gold labels, models, their evaluations, and the promoted model.

The everyday job leaves this group out; the job ``weekly_learning`` and ``analytics train`` run it. A model is promoted
when a blocking check finds it no worse than the model before it. All days that the old model labelled are then stale,
as after any change of the engine.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import dagster as dg
import orjson
import pyarrow as pa

from analytics_platform.analytics.reports import charts, model_charts
from analytics_platform.defs.assets import clean_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.errors import UserError
from analytics_platform.insights import engine
from analytics_platform.insights.heads.label_model import LabelModel, make_model
from analytics_platform.insights.heads.lessons import labels_of
from analytics_platform.insights.quality import feedback
from analytics_platform.insights.quality.promotion_gate import evaluate_model, evaluations_of, why_worse
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.examples import shipped_gold, version_of
from analytics_platform.model import learning_tables as tables
from analytics_platform.model.cadence import Cadence
from analytics_platform.storage.mongo import Corrections
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.provenance import short_hash

GROUP = "learning"

EVERYDAY = dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP)
"""All assets but the group ``learning``: the assets that a run over days computes."""
KINDS = frozenset({"parquet", "numpy"})
PLACE = GraphPlace(GROUP, KINDS)


def _feedback_version(day: str, corrections: Corrections, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001
    rows = orjson.dumps(corrections.rows, default=str).decode()
    return {"list of corrections": short_hash(rows), "taxonomy": insights.default_engine.taxonomy.version}


def _default_version(day: str, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    return insights.default_engine.versions


def _models_version(day: str, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001
    promoted = insights.promoted.model_id if insights.promoted else "none"
    return {**insights.default_engine.versions, "promoted model": promoted}


@table_asset(
    tables.LABEL_FEEDBACK,
    PLACE,
    upstream=Upstream({"messages": clean_assets.messages}),
    code=[engine],
    facts=PartitionFacts(version=_feedback_version),
    cadence=Cadence.WHOLE,
)
def label_feedback(messages: PartitionStream, corrections: Corrections, insights: Insights) -> pa.Table:
    """Corrections of labels by people, each with its use; an unusable correction is quarantined with a reason."""
    rows = corrections.rows
    read = messages.select("conversation_id", "message_id", "position", "role", "text")
    said = feedback.find_said(rows, read.values() if rows else [])
    shipped = _known(shipped_gold(), insights)
    gold = frozenset(zip(shipped["item"].to_pylist(), shipped["kind"].to_pylist(), strict=True))
    return feedback.judge_feedback(rows, insights.default_engine.taxonomy, said, gold)


@table_asset(
    tables.GOLD_LABELS,
    PLACE,
    upstream=Upstream({"label_feedback": label_feedback}),
    code=[engine],
    facts=PartitionFacts(version=_default_version),
    cadence=Cadence.WHOLE,
)
def gold_labels(label_feedback: pa.Table, insights: Insights) -> pa.Table:
    """Labels that models are evaluated on: the shipped ones, and the corrections of one conversation in five.

    Labels that the taxonomy does not have are left out. In a tier with a transformer, a random choice of these
    corrections is used when there are more than the transformer reads in bounded time.
    """
    if insights.reads:
        held_out, _ = feedback.draw_taught(label_feedback, "gold")
    else:
        held_out = feedback.as_examples(label_feedback, "gold")
    return _known(pa.concat_tables([shipped_gold(), held_out]), insights)


def _known(gold: pa.Table, insights: Insights) -> pa.Table:
    """Return the gold labels that occur in the taxonomy, with all sentiments and the label ``other``."""
    known = {(kind, label.label) for kind, of in labels_of(insights.default_engine.taxonomy).items() for label in of}
    pairs = zip(gold["kind"].to_pylist(), gold["label"].to_pylist(), strict=True)
    return gold.filter(
        pa.array([kind == "sentiment" or label == OTHER or (kind, label) in known for kind, label in pairs])
    )


@table_asset(
    tables.CANDIDATE_MODEL,
    PLACE,
    upstream=Upstream({"label_feedback": label_feedback}),
    code=[engine],
    facts=PartitionFacts(version=_default_version),
    cadence=Cadence.WHOLE,
)
def candidate_model(label_feedback: pa.Table, insights: Insights) -> pa.Table:
    """A model of topics and intents, fitted on the taxonomy, the shipped examples and the corrections."""
    engine = insights.default_engine
    taught = feedback.taught_by(engine, feedback.as_examples(label_feedback, "training"))
    model = make_model(engine.encoder, engine.taxonomy, taught, engine.transformer)
    names = ("model_id", "taxonomy_version", "encoder", "corrections", "content")
    return tables.CANDIDATE_MODEL.from_rows([{name: getattr(model, name) for name in names}])


def _charts(_day: str, evaluations: pa.Table, **_: object) -> Mapping[str, Any]:
    """Draw the newest evaluation of each kind of label, and the accuracy of all evaluations over time."""
    drawn: dict[str, Any] = {}
    for row in evaluations.to_pylist():  # ascending by time: the newest stays
        for name, chart in (
            ("confusion", model_charts.confusion(row["outcomes"])),
            ("reliability", model_charts.reliability(row["outcomes"])),
        ):
            drawn[f"{row['kind']}_{name}"] = (f"{name} of {row['kind']}, model {row['model_id']}", chart)
    drawn["history"] = ("Accuracy of every evaluation", model_charts.history(evaluations.to_pylist()))
    return {
        name: dg.MetadataValue.md(charts.metadata_chart(title, charts.to_svg(chart)))
        for name, (title, chart) in drawn.items()
    }


@table_asset(
    tables.MODEL_EVALUATION,
    PLACE,
    upstream=Upstream({"candidate_model": candidate_model, "gold_labels": gold_labels}),
    code=[engine],
    facts=PartitionFacts(version=_models_version, metadata=_charts),
    cadence=Cadence.WHOLE,
)
def model_evaluation(candidate_model: pa.Table, gold_labels: pa.Table, insights: Insights) -> pa.Table:
    """How many gold labels each model matches: the default, the promoted, the candidate and every earlier model.

    When the engine has changed, every model is evaluated again, because labels of two engines cannot be compared.
    """
    candidate = LabelModel(candidate_model["content"][0].as_py())
    history, gold_version = insights.evaluations, version_of(gold_labels)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for model in filter(None, (insights.default_model, insights.promoted, candidate)):
        engine, known = insights.engine_of(model), evaluations_of(history, model.model_id, gold_version)
        if {row["engine_version"] for row in known.values()} != {engine.version}:
            history = pa.concat_tables([history, evaluate_model(engine, model, gold_labels, now)])
    return history


@table_asset(
    tables.PROMOTED_MODEL,
    PLACE,
    upstream=Upstream(
        {"candidate_model": candidate_model, "model_evaluation": model_evaluation, "gold_labels": gold_labels}
    ),
    code=[engine],
    cadence=Cadence.WHOLE,
)
def promoted_model(
    candidate_model: pa.Table, model_evaluation: pa.Table, gold_labels: pa.Table, insights: Insights
) -> pa.Table:
    """The model that labels: the newest candidate no worse than the model promoted before it and the default model."""
    # The blocking check has the same condition, but a run may leave checks out.
    if problems := promotion_problems(insights, candidate_model, model_evaluation, gold_labels):
        raise UserError(f"the candidate is not promoted: {'; '.join(problems)}")
    return candidate_model


def promotion_problems(insights: Insights, candidate: pa.Table, evaluations: pa.Table, gold: pa.Table) -> list[str]:
    """Return why the candidate model is not promoted, one line per kind of label; empty if it is promoted."""
    references = [model.model_id for model in (insights.default_model, insights.promoted) if model]
    return why_worse(evaluations, version_of(gold), candidate["model_id"][0].as_py(), references)


ASSETS = [label_feedback, gold_labels, candidate_model, model_evaluation, promoted_model]
