"""Whether a text fits no label is learnt, and decided apart from which label fits best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from analytics_platform.insights.heads.classifier import Classifier
from analytics_platform.insights.heads.novelty import Novelty, evidence_of
from analytics_platform.insights.heads.training_set import TrainingSet
from analytics_platform.insights.heads.trials import Trial
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.tier import choose
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform_tests.unit.insights.banking_like import EXAMPLES, LABELS, RELATED, UNRELATED


def test_evidence_is_the_best_score_its_lead_and_the_nearness() -> None:
    scores = np.array([[0.1, 0.9, 0.4], [0.3, 0.2, 0.2]], np.float32)
    alone = Trial(scores[:, :1])
    found = evidence_of([Trial(scores, np.array([0.7, 0.1], np.float32)), alone])
    np.testing.assert_allclose(found, [[0.9, 0.5, 0.7, 0.1], [0.3, 0.1, 0.1, 0.3]], atol=1e-6)


def test_less_evidence_never_makes_a_text_less_new() -> None:
    """A text between all labels would be named with more confidence than a text near one of them."""
    random = np.random.default_rng(0)
    is_new = np.arange(400) % 4 == 0
    evidence = random.normal(size=(400, 3)) + np.where(is_new, -1.5, 0.0)[:, None]
    evidence[:, 2] = -evidence[:, 2]  # misleading: it is higher for new texts
    fitted = Novelty.fit(evidence, is_new, np.ones(400))
    assert (fitted.weights >= 0).all()
    poorer = fitted.predict(evidence - 1)
    assert (poorer >= fitted.predict(evidence)).all()
    assert roc_auc_score(is_new, fitted.predict(evidence)) > 0.9
    assert fitted.predict(evidence).mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.slow
def test_unrelated_texts_are_newer_than_related_ones_that_were_not_learnt_from() -> None:
    """A fixed bar for naming anything called most texts of other companies ``other``."""
    made = Classifier(static_encoder(), TrainingSet.of_labels(LABELS, OTHER))
    new = made.predict([*RELATED, *UNRELATED])[:, -1]
    assert made.labels[-1] == OTHER
    assert roc_auc_score([False] * len(RELATED) + [True] * len(UNRELATED), new) > 0.9


@pytest.mark.slow
def test_texts_that_fit_no_label_teach_what_fits_no_label() -> None:
    files = [(text, label) for label, texts in EXAMPLES.items() for text in texts]
    taught = [*files, *((text, OTHER) for text in UNRELATED[::2])]
    made = Classifier(static_encoder(), TrainingSet.of_texts(*zip(*taught, strict=True), OTHER))
    confidence = made.predict(UNRELATED[1::2])
    assert (choose(confidence, len(EXAMPLES)) == len(EXAMPLES)).mean() >= 0.5


def rows(count: int) -> st.SearchStrategy[list[list[float]]]:
    row = st.lists(st.floats(0.0, 1.0, width=32), min_size=count, max_size=count)
    return st.lists(row, min_size=1, max_size=5)


@given(rows(4), st.integers(0, 3))
def test_a_remainder_is_chosen_only_where_it_is_the_most_probable_label_and_not_improbable(
    drawn: list[list[float]], closing: int
) -> None:
    confidence = np.array(drawn)
    chosen = choose(confidence, closing)
    for row, column in zip(np.round(confidence, 9), chosen, strict=True):
        best = max(value for place, value in enumerate(row) if place != closing)
        if column == closing:
            assert row[closing] > best
            assert row[closing] >= 0.35
        else:
            assert row[column] == best


@pytest.mark.parametrize(
    ("row", "closing", "chosen"),
    [
        ([0.2, 0.2, 0.3, 0.3], 3, 2),  # a tie is no reason to name nothing
        ([0.1, 0.1, 0.15, 0.65], 3, 3),
        ([0.22, 0.24, 0.24, 0.30], 3, 1),  # the best of many improbable labels
        ([0.65, 0.1, 0.15, 0.1], 0, 0),
        ([0.1, 0.1, 0.7, 0.1], None, 2),
        ([1.0], 0, 0),
        ([0.5 - 1e-12, 0.5], None, 0),  # digits that depend on threads decide nothing
    ],
)
def test_the_chosen_label_of_a_document(row: list[float], closing: int | None, chosen: int) -> None:
    assert choose(np.array([row]), closing).tolist() == [chosen]


def test_no_document_has_no_label() -> None:
    assert choose(np.zeros((0, 3)), 2).tolist() == []
