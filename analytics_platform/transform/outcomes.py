"""Whether an outcome that a source states is a success.

Belongs here: the words. Does not belong here: guessing success from the text (``insights``).
"""

from __future__ import annotations

import pyarrow as pa

_WORDS = {
    True: "resolved solved success successful succeeded completed complete done fixed answered passed pass true yes 1",
    False: "unresolved unsolved failure failed fail unsuccessful incomplete abandoned unanswered dropped false no 0",
}
SUCCESS_OF_OUTCOME = {word: success for success, words in _WORDS.items() for word in words.split()}
"""Whether an outcome, in lower case, is a success. ``not`` before a word turns it round."""


def resolved(outcomes: pa.ChunkedArray) -> pa.Array:
    """Return true for a success, false for a failure, null for none stated or a word that is neither.

    Case, surrounding space and the difference between space, hyphen and underscore do not matter;
    ``1.0`` and ``0.0`` count as numbers. Words such as ``closed`` or ``escalated`` say neither.
    """
    encoded = outcomes.combine_chunks().dictionary_encode()
    return pa.array(map(_is_success, encoded.dictionary.to_pylist()), pa.bool_()).take(encoded.indices)


def _is_success(outcome: str) -> bool | None:
    *negations, word = outcome.casefold().replace("-", " ").replace("_", " ").split() or [""]
    success = SUCCESS_OF_OUTCOME.get(word.removesuffix(".0"))
    if success is None or not negations:
        return success
    return not success if negations == ["not"] else None
