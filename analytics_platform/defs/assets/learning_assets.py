"""The ``learning`` group: people's labels, an LLM's labels, gold labels, models, evaluations, the promoted model.

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
from analytics_platform.defs.assets import clean_assets, llm_assets
from analytics_platform.defs.framework.recipe import PartitionFacts
from analytics_platform.defs.framework.table_asset import GraphPlace, Upstream, table_asset
from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.errors import UserError
from analytics_platform.insights import engine
from analytics_platform.insights.heads.label_model import LabelModel, make_model
from analytics_platform.insights.heads.training_set import labels_of
from analytics_platform.insights.learning import llm_lesson_choice as lessons_of_llm
from analytics_platform.insights.learning.correction_rows import TRAINING
from analytics_platform.insights.quality import feedback
from analytics_platform.insights.quality.promotion_gate import evaluate_model, evaluations_of, why_worse
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy, load_taxonomy
from analytics_platform.insights.tiers.examples import shipped_gold, version_of
from analytics_platform.model.cadence import Cadence
from analytics_platform.model.tables import learning_tables as tables
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.storage.provenance import short_hash

GROUP = "learning"

EVERYDAY = dg.AssetSelection.all() - dg.AssetSelection.groups(GROUP)
"""All assets but the group ``learning``: the assets that a run over days computes."""
KINDS = frozenset({"parquet", "numpy"})
PLACE = GraphPlace(GROUP, KINDS)


def _feedback_version(day: str, corrections: Corrections, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001
    rows = orjson.dumps(corrections.rows, default=str).decode()
    training = insights.training.version
    return {
        "list of corrections": short_hash(rows),
        "taxonomy": insights.default_engine.taxonomy.version,
        **({"training": training} if training else {}),
    }


def _default_version(day: str, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001  (the signature of PartitionFacts.version)
    training = insights.training.version
    return {**insights.default_engine.versions, **({"training": training} if training else {})}


def _taxonomy_version(day: str, insights: Insights) -> Mapping[str, str]:  # noqa: ARG001
    return {"taxonomy": insights.default_engine.taxonomy.version}


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
    """Corrections by people, and labelled conversations of files, each with its use.

    An unusable one is quarantined with a reason.
    """
    labelled = [  # a file of corrections may have the name of a labelled file
        {
            **row,
            "feedback_id": f"{TRAINING}:{row['file']}:{row['row']}",
            "author": row["file"],
            "origin": TRAINING,
        }
        for row in insights.training.conversations
    ]
    rows = [*corrections.rows, *labelled]
    read = messages.select("conversation_id", "message_id", "position", "role", "text")
    said = feedback.find_said(rows, read.values() if rows else [])
    shipped = _shipped_gold(insights.default_engine.taxonomy)
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
    """Labels that models are evaluated on: corrections of one conversation in five, and one labelled text in five.

    With the sample's taxonomy, the shipped labels of the sample, too. They say nothing about another taxonomy. In a
    tier with a transformer, a random choice of the corrections is used when there are more than the transformer reads
    in bounded time.
    """
    if insights.reads:
        held_out, _ = feedback.draw_taught(label_feedback, "gold")
    else:
        held_out = feedback.as_examples(label_feedback, "gold")
    return pa.concat_tables([_shipped_gold(insights.default_engine.taxonomy), held_out, insights.training.gold()])


def _shipped_gold(taxonomy: Taxonomy) -> pa.Table:
    """Return the shipped gold labels; none for a taxonomy with other topics or intents than the sample's."""
    mine, samples = (
        {(kind, label.label) for kind, labels in labels_of(one).items() for label in labels}
        for one in (taxonomy, load_taxonomy())
    )
    return shipped_gold() if mine == samples else shipped_gold().slice(0, 0)


@table_asset(
    tables.LLM_LESSONS,
    PLACE,
    upstream=Upstream(
        {"llm_insights": llm_assets.llm_insights, "messages": clean_assets.messages, "label_feedback": label_feedback}
    ),
    facts=PartitionFacts(version=_taxonomy_version),
    cadence=Cadence.WHOLE,
)
def llm_lessons(
    llm_insights: PartitionStream, messages: PartitionStream, label_feedback: pa.Table, insights: Insights
) -> pa.Table:
    """Labels of an LLM that a model may learn from: confident ones of conversations that people have not labelled."""
    return lessons_of_llm.llm_lessons(
        llm_insights.select(*lessons_of_llm.COLUMNS).values(),
        messages.select("conversation_id", "message_id", "position", "role", "text"),
        label_feedback,
        insights.default_engine.taxonomy.version,
        frozenset(_shipped_gold(insights.default_engine.taxonomy)["item"].to_pylist()),
    )


@table_asset(
    tables.CANDIDATE_MODEL,
    PLACE,
    upstream=Upstream({"label_feedback": label_feedback, "gold_labels": gold_labels, "llm_lessons": llm_lessons}),
    code=[engine],
    facts=PartitionFacts(version=_default_version),
    cadence=Cadence.WHOLE,
)
def candidate_model(
    label_feedback: pa.Table, gold_labels: pa.Table, llm_lessons: pa.Table, insights: Insights
) -> pa.Table:
    """A model: what people's labels add to the taxonomy, the labelled texts, the shipped examples and sentiments.

    It learns the LLM's labels, too, if with them it is no worse on the gold labels than without them.
    """
    people = feedback.as_examples(label_feedback, "training")
    model = _fit(insights, people)
    if llm_lessons.num_rows:
        with_llm = _fit(insights, pa.concat_tables([people, llm_lessons]))
        judged = [_evaluate(insights, one, gold_labels) for one in (model, with_llm)]
        if not why_worse(pa.concat_tables(judged), version_of(gold_labels), with_llm.model_id, [model.model_id]):
            model = with_llm
    names = ("model_id", "taxonomy_version", "encoder", "corrections", "content")
    return tables.CANDIDATE_MODEL.from_rows([{name: getattr(model, name) for name in names}])


def _fit(insights: Insights, examples: pa.Table) -> LabelModel:
    engine = insights.default_engine
    return make_model(engine.encoder, engine.taxonomy, feedback.taught_by(engine, examples), engine.transformer)


def _evaluate(insights: Insights, model: LabelModel, gold: pa.Table) -> pa.Table:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return evaluate_model(insights.judged_engine_of(model), model, gold, now)


def _charts(_day: str, evaluations: pa.Table, **_: object) -> Mapping[str, Any]:
    """Draw the newest evaluation of each kind of label, and the accuracy of all evaluations over time."""
    drawn: dict[str, Any] = {}
    for row in evaluations.to_pylist():  # ascending by time: the newest stays
        for name, chart in (
            ("confusion", model_charts.confusion(row["outcomes"])),
            ("reliability", model_charts.reliability(row["outcomes"])),
        ):
            drawn[f"{row['kind']}_{name}"] = (f"{name} of {row['kind']}, model {row['model_id']}", chart)
    if not evaluations.num_rows:
        return {}
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
    for model in filter(None, (insights.default_model, insights.promoted, candidate)):
        engine, known = insights.judged_engine_of(model), evaluations_of(history, model.model_id, gold_version)
        if {row["engine_version"] for row in known.values()} != {engine.version}:
            history = pa.concat_tables([history, _evaluate(insights, model, gold_labels)])
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
    model_id = candidate["model_id"][0].as_py()
    if set(references) == {model_id}:  # nothing was learnt, and nothing labels differently
        return []
    return why_worse(evaluations, version_of(gold), model_id, references)


ASSETS = [label_feedback, gold_labels, llm_lessons, candidate_model, model_evaluation, promoted_model]
