"""When a model is evaluated again, on a few gold labels, and which checks make training fail."""

from __future__ import annotations

import copy
import datetime as dt

import dagster as dg
import pyarrow as pa
import pytest

from analytics_platform.defs.assets.learning_assets import (
    candidate_model,
    gold_labels,
    label_feedback,
    llm_lessons,
    model_evaluation,
    promotion_problems,
)
from analytics_platform.defs.automation.learning_schedule import JOB
from analytics_platform.defs.resources.corrections_resource import Corrections
from analytics_platform.defs.resources.insights_resource import Insights
from analytics_platform.defs.resources.last_readings import LastReadings
from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.learning.corrections_file import read_corrections_files
from analytics_platform.insights.learning.training_files import Training as LabelledFiles
from analytics_platform.insights.learning.training_files import read_training
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.insights.tiers.examples import shipped_gold
from analytics_platform.model import find_violations
from analytics_platform.model.tables.learning_tables import (
    CANDIDATE_MODEL,
    LABEL_FEEDBACK,
    LLM_LESSONS,
    MODEL_EVALUATION,
)
from analytics_platform.model.tables.llm_tables import LLM_INSIGHTS
from analytics_platform.operations.training import summary, train
from analytics_platform.storage.lake import Lake
from analytics_platform.storage.partitions import PartitionStream

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


@pytest.mark.slow  # fits models
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


OWN = """\
intents:
  - {label: ask, description: asks, examples: [can you tell me, what is it]}
  - {label: thank, description: thanks, examples: [thank you, thanks a lot]}
topics:
  - {label: parcels, description: parcels, examples: [where is my parcel, my parcel is late, it did not arrive]}
  - {label: refunds, description: refunds, examples: [i want my money back, where is my refund, pay me back]}
"""


@pytest.fixture
def own(tmp_path) -> tuple[str, ...]:
    """A taxonomy with other topics than the sample's."""
    (tmp_path / "own.yaml").write_text(OWN)
    return (str(tmp_path / "own.yaml"),)


def insights_of(tmp_path, taxonomy: tuple[str, ...] | None, **files: LabelledFiles) -> Insights:
    lake = Lake.open(str(tmp_path / "lake"))
    return Insights("static", "cpu", taxonomy, lambda: lake, lambda: files.get("training", LabelledFiles()))


def test_the_samples_gold_labels_judge_no_other_taxonomy(tmp_path, own):
    """Models of everybody's taxonomy were judged by Ubuntu's and an airline's conversations."""
    compute, nothing = gold_labels.recipe.compute, LABEL_FEEDBACK.empty()
    assert compute(label_feedback=nothing, insights=insights_of(tmp_path, own)).num_rows == 0
    samples = compute(label_feedback=nothing, insights=insights_of(tmp_path, None))
    assert samples.num_rows == shipped_gold().num_rows


def test_held_out_texts_judge_an_engine_that_has_not_learnt_them(tmp_path, own):
    pairs = tuple((f"parcel {number} is late", "parcels") for number in range(100))
    insights = insights_of(tmp_path, own, training=LabelledFiles("v", {"topic": pairs}))
    gold = gold_labels.recipe.compute(label_feedback=LABEL_FEEDBACK.empty(), insights=insights)
    assert set(gold["source"].to_pylist()) == {"training"}
    judging = insights.judged_engine_of(insights.default_model)
    learnt = {text for text, _ in judging.training.texts["topic"]}
    held_out = {row["messages"][0]["text"] for row in gold.to_pylist()}
    assert held_out
    assert not learnt & held_out
    assert held_out <= {text for text, _ in insights.default_engine.training.texts["topic"]}
    assert judging.version != insights.default_engine.version


@pytest.mark.slow
def test_lessons_of_an_llm_are_learnt_only_where_people_show_no_loss(tmp_path, own):
    texts = {"parcels": "the driver left box {} with a neighbour", "refunds": "return the amount of invoice {}"}
    other = {"parcels": "refunds", "refunds": "parcels"}

    def labelled(numbers: range, source: str, *, wrong: bool = False) -> pa.Table:
        return LLM_LESSONS.from_rows(
            [
                {
                    "item": f"{label}/{number}",
                    "kind": "topic",
                    "label": other[label] if wrong else label,
                    "source": source,
                    "messages": [{"role": "user", "text": text.format(number)}],
                }
                for number in numbers
                for label, text in texts.items()
            ]
        )

    def learnt(lessons: pa.Table) -> int:
        table = candidate_model.recipe.compute(
            label_feedback=LABEL_FEEDBACK.empty(),
            gold_labels=labelled(range(15), "feedback"),
            llm_lessons=lessons,
            insights=insights_of(tmp_path, own),
        )
        return table["corrections"][0].as_py()

    assert learnt(labelled(range(20, 30), "llm")) == 20
    assert learnt(labelled(range(20, 30), "llm", wrong=True)) == 0


def test_with_too_few_labels_of_ones_own_nothing_is_promoted_and_the_reason_is_said(tmp_path, own):
    insights = insights_of(tmp_path, own)
    gold = gold_labels.recipe.compute(label_feedback=LABEL_FEEDBACK.empty(), insights=insights)
    names = ("model_id", "taxonomy_version", "encoder", "corrections", "content")
    same = CANDIDATE_MODEL.from_rows([{name: getattr(insights.default_model, name) for name in names}])
    evaluations = model_evaluation.recipe.compute(candidate_model=same, gold_labels=gold, insights=insights)
    assert evaluations.num_rows == 0
    assert promotion_problems(insights, same, evaluations, gold) == []  # nothing was learnt, so nothing is refused
    learnt = same.set_column(0, "model_id", [["another"]])
    (problem,) = promotion_problems(insights, learnt, evaluations, gold)
    assert problem.startswith("only 0 gold labels to judge by, fewer than 20: correct more conversations")


MESSAGE_SCHEMA = pa.schema(
    [("conversation_id", pa.string()), ("message_id", pa.string()), ("position", pa.int64())]
    + [(name, pa.string()) for name in ("role", "text")]
)


def stream(lake: Lake, name: str, table: pa.Table) -> PartitionStream:
    lake.write(name, "2026-11-02", table, "")
    return PartitionStream(lake, name, ["2026-11-02"])


def message(conversation: str) -> dict[str, object]:
    return {"conversation_id": conversation, "message_id": "m1", "position": 0, "role": "user", "text": "no sound"}


def test_an_llm_teaches_no_conversation_with_a_shipped_gold_label(tmp_path):
    """The model was evaluated on conversations that it had learnt with the LLM's labels."""
    insights = insights_of(tmp_path, None)
    judged, free = shipped_gold()["item"].to_pylist(), "c0"
    version = insights.default_engine.taxonomy.version
    answers = [
        {
            "conversation_id": name, "topics": [{"label": "audio", "confidence": 0.9}], "primary_topic": "audio",
            "intent": "complain", "intent_confidence": 0.9, "taxonomy_version": version, "was_cut": False,
        }
        for name in (*dict.fromkeys(judged), free)
    ]  # fmt: skip
    schema = LLM_INSIGHTS.empty().schema
    lake = Lake.open(str(tmp_path / "inputs"))
    messages = pa.Table.from_pylist([message(row["conversation_id"]) for row in answers], MESSAGE_SCHEMA)
    names = list(answers[0])
    said = pa.Table.from_pylist(answers, pa.schema([schema.field(name) for name in names]))
    lessons = llm_lessons.recipe.compute(
        llm_insights=stream(lake, "llm_insights", said),
        messages=stream(lake, "messages", messages),
        label_feedback=LABEL_FEEDBACK.empty(),
        insights=insights,
    )
    assert set(lessons["item"].to_pylist()) == {free}


def test_labelled_files_and_corrections_of_one_name_have_ids_of_their_own(tmp_path):
    """The key of ``label_feedback`` was repeated, and `analytics train` failed."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels.csv").write_text(f"conversation_id,kind,label\n{folder},topic,audio\n")
    paths = [tmp_path / folder / "labels.csv" for folder in ("a", "b")]
    files = read_training(paths, load_taxonomy())
    corrections = Corrections(
        {"file": lambda: read_corrections_files(paths[:1])},
        LastReadings(tmp_path, remembers=True),
        lambda: None,
        load_taxonomy,
    )
    messages = pa.Table.from_pylist([message("a"), message("b")], MESSAGE_SCHEMA)
    table = label_feedback.recipe.compute(
        messages=stream(Lake.open(str(tmp_path / "inputs")), "messages", messages),
        corrections=corrections,
        insights=insights_of(tmp_path, None, training=files),
    )
    assert table.num_rows == 3
    assert find_violations(LABEL_FEEDBACK, table) == []


@pytest.mark.slow
def test_the_summary_says_that_lessons_of_an_llm_were_learnt(tmp_path, own):
    """Labels of people that the model did not read, as after a transformer's choice, hid those of the LLM."""
    lake = Lake.open(str(tmp_path / "tables"))
    unread = [
        dict.fromkeys(LABEL_FEEDBACK.column_names)
        | {
            "feedback_id": str(number), "origin": "file", "conversation_id": f"p{number}", "kind": "topic",
            "label": "parcels", "status": "training", "messages": [],
        }
        for number in range(30)
    ]  # fmt: skip
    texts = {"parcels": "the driver left box {} with a neighbour", "refunds": "return the amount of invoice {}"}

    def labelled(numbers: range, source: str) -> pa.Table:
        return LLM_LESSONS.from_rows(
            [
                {
                    "item": f"{label}/{number}", "kind": "topic", "label": label, "source": source,
                    "messages": [{"role": "user", "text": text.format(number)}],
                }
                for number in numbers
                for label, text in texts.items()
            ]
        )  # fmt: skip

    tables = {
        "label_feedback": LABEL_FEEDBACK.from_rows(unread),
        "gold_labels": labelled(range(15), "feedback"),
        "llm_lessons": labelled(range(20, 30), "llm"),
    }
    candidate = candidate_model.recipe.compute(**tables, insights=insights_of(tmp_path, own))
    tables |= {"candidate_model": candidate, "model_evaluation": MODEL_EVALUATION.empty()}
    for name, table in tables.items():
        lake.write(name, "", table, "")
    found = summary(lake, "default")
    assert (found["corrections"], found["llm"]) == (20, {"lessons": 20, "used": True})
