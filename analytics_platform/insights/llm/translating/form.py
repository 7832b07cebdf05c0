"""The form of translations that an LLM answers: every number once, each text of a plausible length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from analytics_platform.insights.llm.answer_json import AnswerError, Strict, read_answer, schema_of
from analytics_platform.insights.llm.questions import Answer
from analytics_platform.insights.llm.translating.quality_estimate import letters
from analytics_platform.insights.llm.translating.texts import Piece

_MOST_TIMES, _FEWEST_TIMES = 5, 6
_MOST_BESIDE, _FEWEST_BESIDE = 40, 20
"""A translation has at most 5 times the letters of the original and 40 more, and at least a sixth of them less 20.

No ratio holds for short texts: a word may become a sentence, and a greeting a word.
"""
_PROBLEMS_NAMED = 5
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")


class _Translation(Strict):
    number: int
    text: str


class _Translations(Strict):
    translations: list[_Translation]


SCHEMA = schema_of(_Translations)


def parse(text: str, shown: Sequence[Piece]) -> Answer:
    """Return the translations in an answer, in the order of the pieces, as ``texts``.

    A translation is one line, as a message is: control characters and line ends become spaces. The errors name numbers
    and never quote a text.

    Args:
        text: The model's text.
        shown: The pieces that the model was shown.

    Raises:
        AnswerError: If the answer does not follow the form, a number is missing, repeated or unknown, or a translation
            is empty or of an implausible length.
    """
    given = read_answer(_Translations, text)["translations"]
    counts = Counter(entry["number"] for entry in given)
    expected = range(1, len(shown) + 1)
    problems = [f"number {number} is given {count} times" for number, count in counts.items() if count > 1]
    problems += [f"number {number} is no message" for number in counts if number not in expected]
    problems += [f"number {number} is missing" for number in expected if number not in counts]
    if problems:
        raise AnswerError(f"translations: {'; '.join(problems[:_PROBLEMS_NAMED])}")
    by_number = {entry["number"]: " ".join(entry["text"].translate(_CONTROL).split()) for entry in given}
    texts = [by_number[number] for number in expected]
    before, after = (letters(pa.array(said, pa.string())) for said in ([piece.text for piece in shown], texts))
    wrong = {
        "is empty": np.array([not said for said in texts]),
        "is much longer than its message": after > before * _MOST_TIMES + _MOST_BESIDE,
        "is much shorter than its message": after < before / _FEWEST_TIMES - _FEWEST_BESIDE,
    }
    problems = [f"number {place + 1} {what}" for what, where in wrong.items() for place in np.flatnonzero(where)]
    if problems:
        raise AnswerError(f"translations: {'; '.join(problems[:_PROBLEMS_NAMED])}")
    return {"texts": texts}
