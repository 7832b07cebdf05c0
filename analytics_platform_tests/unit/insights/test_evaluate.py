from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from analytics_platform.cli.app import main
from analytics_platform.cli.graphless import score
from analytics_platform.insights.heads.training_set import TrainingSet
from analytics_platform.insights.quality import evaluate as evaluation
from analytics_platform.insights.quality.evaluate import (
    EvaluationError,
    evaluate,
    expected_calibration_error,
)
from analytics_platform.insights.tiers.tier import TierError
from analytics_platform_tests.unit.insights.banking_like import LABELS, UNRELATED, UNSEEN

pytestmark = pytest.mark.slow  # fits models

TEMPLATES = {
    "card": ("my card has not arrived {}", "where is my new card {}", "the card is lost {}", "track my card {}"),
    "refund": ("i want my money back {}", "please refund me {}", "the refund is late {}", "get a refund {}"),
    "hours": ("when do you open {}", "what are your opening hours {}", "are you open {}", "when do you close {}"),
    "oos": ("tell me a joke {}", "who won the game {}", "what is the weather {}", "sing a song {}"),
}
ENDINGS = ("", "please", "today", "now", "again", "thanks", "on monday", "for me")


def write(path: Path, rows: list[tuple[str, str]], names: tuple[str, str] = ("text", "label")) -> Path:
    columns = zip(*rows, strict=True) if rows else ((), ())
    pq.write_table(
        pa.table({name: pa.array(list(c), pa.string()) for name, c in zip(names, columns, strict=True)}), path
    )
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [(text.format(end), label) for label, texts in TEMPLATES.items() for text in texts for end in ENDINGS]
    return write(tmp_path / "train.parquet", rows[::2]), write(tmp_path / "test.parquet", rows[1::2])


@pytest.fixture
def brief_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time the speed of scoring as briefly as can be; the command times it for three seconds."""
    timed = evaluation.time_scoring
    monkeypatch.setattr(evaluation, "time_scoring", lambda score, texts, _: timed(score, texts, 0.01))


def test_easy_texts_are_told_apart_with_confidence_that_can_be_believed(files: tuple[Path, Path]) -> None:
    result = evaluate(*files, seconds=0)
    assert (result["tier"], result["shares"]) == ("static", {"neighbours": 1.0})
    assert (result["train_rows"], result["test_rows"], result["classes"]) == (64, 64, 4)
    assert result["accuracy"] > 0.9
    assert result["macro_f1"] > 0.9
    assert result["in_scope_accuracy"] > 0.9
    assert result["oos_auroc"] > 0.9
    assert result["ece"] < 0.2
    assert result["texts_per_second"] > 0


def test_what_takes_long_is_told_of_as_it_begins(files: tuple[Path, Path]) -> None:
    told: list[str] = []
    evaluate(*files, seconds=0, on_stage=told.append)
    assert told == ["loading the tier static", "fitting on 64 texts", "scoring 64 texts"]


class Recorder:
    """Stands for a classifier: it remembers what it was fitted on, and answers the first label."""

    fitted_on: ClassVar[list[TrainingSet]] = []
    shares: ClassVar[dict[str, float]] = {}

    def __init__(self, _: object, training_set: TrainingSet, **__: object) -> None:
        self.fitted_on.append(training_set)
        self.labels = training_set.labels

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(1, len(self.labels)).repeat(len(texts), axis=0)


@pytest.mark.usefixtures("brief_timing")
@pytest.mark.parametrize(("texts", "length", "labels"), [(11_000, 1_000, 20), (40_000, 20, 20), (20_000, 20, 1_500)])
def test_the_command_fits_on_so_much_as_ends_within_minutes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: int, length: int, labels: int
) -> None:
    """Fitting on 11,000 posts of 1,000 characters took 496 s and 2.5 GB, and nothing was stated."""
    monkeypatch.setattr(evaluation, "Classifier", Recorder)
    rows = [(f"post {number} ".ljust(length, "x"), f"l{number % labels}") for number in range(texts)]
    train = write(tmp_path / "train.parquet", rows)
    result = score(train, write(tmp_path / "test.parquet", rows[:50]), "static", "cpu", quiet=True)
    training_set = Recorder.fitted_on.pop()
    assert sum(map(len, training_set.texts)) <= 1_700_000
    assert len(training_set.texts) <= 10_000
    assert len(training_set.texts) * labels <= 10_000_000
    assert len(training_set.labels) == labels
    assert f"of {texts:,} texts" in str(result["fitting"])


def test_without_texts_out_of_scope_nothing_is_said_about_them(tmp_path: Path, files: tuple[Path, Path]) -> None:
    inside = write(tmp_path / "inside.parquet", [("my card is lost", "card"), ("refund me", "refund")])
    assert not {"oos_auroc", "in_scope_accuracy"} & set(evaluate(files[0], inside, seconds=0))


def test_a_label_unknown_to_the_training_file_counts_as_wrong(tmp_path: Path, files: tuple[Path, Path]) -> None:
    result = evaluate(files[0], write(tmp_path / "new.parquet", [("hello there", "greeting")]), seconds=0)
    assert (result["accuracy"], result["macro_f1"]) == (0.0, 0.0)


def test_two_labels_and_a_label_with_one_text_can_be_fitted(tmp_path: Path) -> None:
    rows = [("great", "positive"), ("very good", "positive"), ("bad", "negative")]
    result = evaluate(write(tmp_path / "a.parquet", rows), write(tmp_path / "b.parquet", rows), seconds=0)
    assert result["classes"] == 2


def test_evaluating_twice_gives_the_same_measures(files: tuple[Path, Path]) -> None:
    measured = ("texts_per_second", "texts_per_cpu_second", "fit_seconds", "peak_memory_mb")
    first, second = ({k: v for k, v in evaluate(*files, seconds=0).items() if k not in measured} for _ in range(2))
    assert first == second


def test_a_column_that_is_missing_is_named(tmp_path: Path, files: tuple[Path, Path]) -> None:
    path = write(tmp_path / "wrong.parquet", [("a", "b")], ("texts", "label"))
    with pytest.raises(EvaluationError, match=r"wrong\.parquet: lacks text; it has texts, label"):
        evaluate(files[0], path)


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, files: tuple[Path, Path]) -> None:
    empty = write(tmp_path / "empty.parquet", [])
    garbage = tmp_path / "garbage.parquet"
    garbage.write_text("no parquet", encoding="utf-8")
    holes = tmp_path / "holes.parquet"
    pq.write_table(pa.table({"text": ["a", None], "label": ["x", "y"]}), holes)
    one = write(tmp_path / "one.parquet", [("a", "x"), ("b", "x")])
    silent = write(tmp_path / "silent.parquet", [("", "x"), (" \n", "y"), (" " * 5_000 + "late", "y")] * 5)
    for path, message in (
        (empty, r"empty\.parquet: has no rows"),
        (garbage, r"garbage\.parquet: cannot be read as Parquet"),
        (tmp_path / "absent.parquet", r"absent\.parquet: there is no such file"),
        (holes, r"holes\.parquet: column text has 1 missing value"),
        (one, r"one\.parquet: needs at least two different labels"),
        (silent, r"silent\.parquet: column text holds no word to learn from"),
    ):
        with pytest.raises(EvaluationError, match=message):
            evaluate(path, files[1])


def test_a_tier_with_a_transformer_is_refused_where_there_is_none(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        raise TierError("transformer: not installed")

    monkeypatch.setattr(evaluation, "transformer_encoder", missing)
    assert evaluate(*files, "static", seconds=0)["accuracy"] > 0.9
    with pytest.raises(TierError, match="not installed"):
        evaluate(*files, "cascade", seconds=0)


@pytest.mark.parametrize("tier", ["llm", "oracle"])
def test_a_tier_that_is_not_there_is_refused_before_any_file_is_read(tier: str) -> None:
    with pytest.raises(TierError, match=tier):
        evaluate(Path("absent"), Path("absent"), tier)


def test_speed_is_timed_on_more_texts_when_the_file_is_short(files: tuple[Path, Path]) -> None:
    assert evaluate(*files, seconds=0)["timed_texts"] == 64
    assert evaluate(*files, seconds=0.5)["timed_texts"] > 64


def test_calibration_error_is_the_mean_gap_between_confidence_and_share_right() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    right = np.array([True, True, True, False, False, True])
    assert expected_calibration_error(confidence, right) == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)
    assert expected_calibration_error(np.ones(3), np.ones(3, bool)) == 0


HEADER = "intents: [{label: ask, description: asks for something, examples: [can you help me]}]\n"


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A taxonomy of one's own: six topics with five examples each."""
    path = tmp_path_factory.mktemp("bank") / "bank.yaml"
    topics = [label.model_dump(include={"label", "description", "examples"}) for label in LABELS]
    path.write_text(HEADER + yaml.safe_dump({"topics": [{**one, "examples": [*one["examples"]]} for one in topics]}))
    return path


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    rows = [(text, label) for label, texts in UNSEEN.items() for text in texts]
    return write(tmp_path / "unseen.parquet", rows)


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], brief_timing: None
) -> Callable[..., Any]:
    """Run ``analytics evaluate``; return its JSON, or the refusal."""
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> Any:
        monkeypatch.setattr(sys, "argv", ["analytics", "evaluate", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return json.loads(told.out) if not ended.value.code else " ".join(told.err.split())

    return run


def test_a_taxonomy_of_ones_own_labels_texts_without_a_training_file(
    command: Callable[..., Any], bank: Path, unseen: Path
) -> None:
    """Of texts that fit one of the labels, most were called ``other``, and no command measured it."""
    result = command("--taxonomy", bank, "--test", unseen)
    assert {"accuracy", "macro_f1", "ece", "other_share", "texts_per_second"} <= set(result)
    assert (result["tier"], result["kind"], result["test_rows"], result["classes"]) == ("static", "topic", 36, 7)
    assert result["accuracy"] > 0.75
    assert result["macro_f1"] > 0.75
    assert result["other_share"] < 0.15
    assert result["texts_per_second"] > 0
    assert "auroc_other" not in result


def test_texts_that_fit_no_label_are_told_from_those_that_do(
    command: Callable[..., Any], bank: Path, tmp_path: Path
) -> None:
    rows = [(text, label) for label, texts in UNSEEN.items() for text in texts]
    test = write(tmp_path / "mixed.parquet", [*rows, *((text, "other") for text in UNRELATED)])
    result = command("--taxonomy", bank, "--test", test)
    assert result["auroc_other"] > 0.85
    assert 0 < result["other_share"] < 0.5


def test_packs_are_combined_with_a_file_and_intents_are_judged(command: Callable[..., Any], tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("topics:\n  - {label: drones, description: flying drones, examples: [my drone crashed]}\n")
    test = write(tmp_path / "drones.parquet", [("the drone crashed again", "drones")])
    assert command("--taxonomy", f"travel,{own}", "--test", test)["accuracy"] == 1
    intents = write(tmp_path / "intents.parquet", [("can you help me please", "request_help")])
    assert command("--kind", "intent", "--test", intents)["kind"] == "intent"


@pytest.mark.parametrize("neutral", [True, False])
def test_sentiment_without_neutral_texts_is_judged_by_its_sign(
    command: Callable[..., Any], tmp_path: Path, neutral: bool
) -> None:
    """A clear sentence that was called neutral counted as wrong in files that know no neutral sentence."""
    rows = [
        ("i love it, wonderful work", "positive"),
        ("this is great, thank you so much", "positive"),
        ("this is terrible and awful", "negative"),
        ("i am disappointed and angry", "negative"),
        *([("the shop is in the second street", "neutral")] if neutral else []),
    ]
    result = command("--kind", "sentiment", "--test", write(tmp_path / "signs.parquet", rows))
    assert result["classes"] == 2 + neutral
    assert result["accuracy"] == 1
    assert result["other_share"] == 0


def test_what_cannot_be_judged_by_a_taxonomy_is_refused(
    command: Callable[..., Any], bank: Path, unseen: Path, tmp_path: Path
) -> None:
    foreign = write(tmp_path / "foreign.parquet", [("hello", "greeting"), ("my pin", "forgotten_pin")])
    for arguments, message in (
        (("--taxonomy", bank, "--test", foreign), "foreign.parquet: column label has 1 values that are no topic of"),
        (("--taxonomy", bank, "--train", unseen, "--test", unseen), "--train and --taxonomy exclude each other"),
        (("--taxonomy", bank, "--test", unseen, "--kind", "mood"), "--kind mood is unknown; use topic, intent or"),
        (("--taxonomy", tmp_path / "absent.yaml", "--test", unseen), "absent.yaml: must be an existing file or one of"),
        (("--taxonomy", ",", "--test", unseen), "--taxonomy names no pack and no file"),
        (("--taxonomy", bank, "--test", tmp_path / "absent.parquet"), "absent.parquet: there is no such file"),
        (("--taxonomy", bank, "--test", unseen, "--tier", "oracle"), "tier 'oracle' is unknown"),
    ):
        told = command(*arguments)
        assert isinstance(told, str), told
        assert message in told
        assert "Traceback" not in told


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--train", "a.parquet", "--kind", "intent"), "--train and --kind exclude each other"),
        (("--train", "a.parquet", "--taxonomy", "general"), "--train and --taxonomy exclude each other"),
        (("--taxonomy", "general", "--whole"), "--whole needs --train"),
        (("--whole",), "--whole needs --train"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    command: Callable[..., Any], options: tuple[str, ...], fault: str
) -> None:
    """`--kind` beside `--train`, and `--whole` beside a taxonomy, were ignored without a word."""
    assert fault in command(*options, "--test", "b.parquet")


def test_texts_without_words_have_no_label_and_oos_means_other(
    command: Callable[..., Any], bank: Path, tmp_path: Path
) -> None:
    """An empty text had a topic, and the label `oos` was refused with a taxonomy."""
    rows = [(text, "oos") for text in ("", "   ", "[image]")]
    result = command("--taxonomy", bank, "--test", write(tmp_path / "empty.parquet", rows))
    assert (result["accuracy"], result["other_share"]) == (1, 1)
    known = [*((text, label) for label, texts in UNSEEN.items() for text in texts), ("sing a song", "oos")]
    fitted = command("--train", write(tmp_path / "known.parquet", known), "--test", tmp_path / "empty.parquet")
    assert fitted["accuracy"] == 1


def test_the_only_label_of_a_taxonomy_is_given_to_its_subject_alone(
    command: Callable[..., Any], tmp_path: Path
) -> None:
    """Every text had the only label, with a confidence of 0.92."""
    plants = tmp_path / "plants.yaml"
    topic = {
        "label": "watering",
        "description": "when and how much to water a plant",
        "examples": [
            "how often do i water a cactus", "leaves are yellow, too much water?", "can i give my orchid tap water",
            "the soil is dry after a day", "how much water does basil need",
        ],
    }  # fmt: skip
    plants.write_text(HEADER + yaml.safe_dump({"topics": [topic]}))
    rows = [(text, "watering") for text in ("does my fern need water every day", "do i water orchids in winter")]
    rows += [(text, "other") for text in ("please refund my money", "my invoice is wrong", "the driver crashes")]
    assert command("--taxonomy", plants, "--test", write(tmp_path / "plants.parquet", rows))["accuracy"] == 1
