"""The form of a topic's name that an LLM answers: a short name and one sentence, each of characters that people see."""

from __future__ import annotations

from analytics_platform.insights.llm.answer_json import AnswerError, Strict, read_answer, schema_of
from analytics_platform.insights.llm.questions import Answer
from analytics_platform.insights.topics.curation import seen

MOST_WORDS = 5
"""Most words of a name; a name in a script without spaces is one word."""
_LONGEST = {"name": 40, "sentence": 160}
"""Most characters of each field. No schema holds them, because some endpoints refuse bounds in a schema."""


class _NamedTopic(Strict):
    sentence: str  # first, so that the name sums it up
    name: str


SCHEMA = schema_of(_NamedTopic)


def parse(text: str, _shown: object = None) -> Answer:
    """Return the ``name`` and ``sentence`` in an answer, each on one line.

    The errors name fields and never quote a text.

    Args:
        text: The model's text.
        _shown: What the model was shown of the topic; the form is the same for every topic.

    Raises:
        AnswerError: If the answer does not follow the form, or a field is blank, too long, or has a character that
            people cannot see.
    """
    answer = {field: " ".join(said.split()) for field, said in read_answer(_NamedTopic, text).items()}
    problems = []
    for field, said in answer.items():
        try:
            seen(said)
        except ValueError as error:
            problems.append(f"{field}: {error}")
        if len(said) > _LONGEST[field]:
            problems.append(f"{field}: has {len(said)} characters; use at most {_LONGEST[field]}")
    if (words := len(answer["name"].split())) > MOST_WORDS:
        problems.append(f"name: has {words} words; use at most {MOST_WORDS}")
    if problems:
        raise AnswerError("; ".join(problems))
    return answer
