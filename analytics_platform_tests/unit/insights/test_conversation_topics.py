from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from analytics_platform.insights.heads.linear import keep_heaviest
from analytics_platform.insights.tiers.conversation_topics import expect_other


def test_fewer_conversations_than_texts_fit_no_topic() -> None:
    """A conversation in an unusual wording was `other` although one topic was far likelier than the rest."""
    shifted = expect_other(
        np.array([[0.3, 0.2, 0.5], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), ("delivery", "orders", "other")
    )
    assert shifted[0].argmax() == 0
    np.testing.assert_allclose(shifted[0, 0] / shifted[0, 1], 1.5)
    np.testing.assert_allclose(shifted.sum(axis=1), 1)
    np.testing.assert_array_equal(shifted[1:], [[0, 0, 1], [1, 0, 0]])


def test_the_heaviest_messages_of_each_conversation_are_kept_the_first_of_equal_ones() -> None:
    weights = sp.csr_matrix([[1.0, 2.0, 2.0, 0.5], [0.0, 0.0, 0.3, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    kept = keep_heaviest(weights, 2).toarray()
    np.testing.assert_array_equal(kept, [[0, 2, 2, 0], [0, 0, 0.3, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
