from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.heads import experts, training_sample
from analytics_platform.insights.heads.experts import LinearExpert
from analytics_platform.insights.heads.features import Features
from analytics_platform.insights.heads.training_sample import draw_sample
from analytics_platform.insights.heads.training_set import training_documents
from analytics_platform.insights.quality.evaluate import EvaluationError, evaluate
from analytics_platform.insights.vectors.static_multilingual import static_encoder

HINTS = {"card": "my card is lost", "refund": "give my money back", "hours": "when do you open"}


def posts(count: int, characters: int) -> tuple[list[str], list[str]]:
    """Return long posts of three labels and one of a label of its own."""
    labels = [list(HINTS)[number % 3] for number in range(count - 1)]
    texts = [f"{HINTS[label]} {number} ".ljust(characters, "x") for number, label in enumerate(labels)]
    return [*texts, "a lonely text"], [*labels, "lonely"]


def test_a_file_within_the_bounds_is_fitted_whole() -> None:
    texts, labels = posts(5_000, 60)
    assert draw_sample(texts, labels) == (texts, labels, "")


def test_long_posts_are_sampled_without_losing_a_label_and_stated() -> None:
    """Fitting on 11,000 posts of 1,000 characters did not end within 25 minutes."""
    texts, labels = posts(11_000, 1_000)
    sample = draw_sample(texts, labels)
    assert sum(map(len, sample.texts)) <= 1_700_000
    assert sample.statement.startswith(f"fitted on {len(sample.texts):,} of 11,000 texts")
    assert "1,000 characters" in sample.statement
    counts = Counter(sample.labels)
    assert counts["lonely"] == 1
    assert max(counts.values()) - sorted(counts.values())[1] <= 1
    assert sample == draw_sample(texts, labels)


@pytest.mark.parametrize(("texts", "labels", "most"), [(40_000, 3, 10_000), (20_000, 2_000, 6_000)])
def test_many_texts_and_many_labels_are_sampled(texts: int, labels: int, most: int) -> None:
    """Memory grew with the square of the texts, and with texts times labels."""
    names = [f"l{number % labels}" for number in range(texts)]
    sample = draw_sample([f"text {number}" for number in range(texts)], names)
    assert len(sample.texts) <= most
    assert min(Counter(sample.labels).values()) >= 2
    assert len(set(sample.labels)) == labels


def test_equal_texts_count_once_and_longer_texts_are_said_to_be_cut() -> None:
    assert draw_sample(["hello"] * 20_000, ["a", "b"] * 10_000).statement == ""
    statement = draw_sample(["x" * 1_000_000, "short"], ["a", "b"]).statement
    assert statement == "fitted on 2 texts, of 1 longer texts the first 4,096 characters"


def write(path: Path, texts: list[str], labels: list[str]) -> Path:
    pq.write_table(pa.table({"text": texts, "label": labels}), path)
    return path


@pytest.mark.slow
def test_evaluation_states_the_sample_and_repeats_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that nobody states makes figures of a part look like figures of the whole."""
    monkeypatch.setattr(training_sample, "_MOST_CHARACTERS", 6_000)
    train = write(tmp_path / "train.parquet", *posts(400, 60))
    told: list[str] = []
    first, second = (evaluate(train, train, seconds=0, on_stage=told.append) for _ in range(2))
    assert first["train_rows"] == 400
    assert first["fitted_rows"] < 110
    assert first["fitting"].startswith(f"fitted on {first['fitted_rows']} of 400 texts")
    assert first["fitting"].replace("fitted", "fitting") in told
    assert any("of 400 texts, " in line and line.endswith(" a second") for line in told)
    assert first["classes"] == 4
    same = ("accuracy", "ece", "macro_f1", "fitting", "shares")
    assert [first[name] for name in same] == [second[name] for name in same]
    whole = evaluate(train, train, seconds=0, whole=True)
    assert (whole["fitted_rows"], whole["fitting"]) == (400, "")


def test_more_labels_than_can_be_fitted_are_refused(tmp_path: Path) -> None:
    """Every text is scored for every label: ten thousand labels filled the memory."""
    names = [f"l{number}" for number in range(2_001)]
    train = write(tmp_path / "train.parquet", names, names)
    with pytest.raises(EvaluationError, match=r"train\.parquet: column label has 2,001 .* at most 2,000"):
        evaluate(train, train)


def test_where_machines_take_too_long_a_ridge_regression_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Support vector machines for 20,000 texts of 150 labels take more than five minutes."""
    texts, labels = posts(120, 60)
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    prepared = training_documents(texts, static_encoder())
    exact = LinearExpert(bounded=False)
    monkeypatch.setattr(experts, "_FEWEST_FOR_MACHINES", 0)
    monkeypatch.setattr(experts, "_MOST_WORK", 0)
    cheap = LinearExpert()
    unseen = training_documents(["the card i lost", "my money", "do you open today"], static_encoder())
    for expert in (exact, cheap):
        left_out = expert.fit(prepared, codes, 4, np.ones(120))
        assert (left_out.argmax(axis=1) == codes)[:-1].mean() > 0.95
        assert expert.score(unseen).argmax(axis=1).tolist() == [0, 3, 1]


def test_many_outputs_keep_the_most_frequent_ngrams() -> None:
    """The coefficients of 2,000 labels took a gigabyte."""
    prepared = training_documents([f"common word{number}" for number in range(200)], static_encoder())
    few = Features(outputs=1_000_000).fit(prepared).transform(prepared)
    assert few.shape[1] <= 2 * 10 + 257
    assert Features().fit(prepared).transform(prepared).shape[1] > 600


def test_products_of_features_are_their_scalar_product() -> None:
    prepared = training_documents([f"text {number} about card {number % 7}" for number in range(40)], static_encoder())
    features = Features().fit(prepared).transform(prepared)
    np.testing.assert_allclose(Features.products(features), (features @ features.T).toarray(), atol=1e-5)
