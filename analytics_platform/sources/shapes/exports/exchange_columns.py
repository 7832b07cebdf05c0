"""The names of the two columns that hold a question and its answer: words for who speaks beside words for a text."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from analytics_platform.sources.row_rules.role_words import default_role_words
from analytics_platform.sources.shapes.table_parts.column_names import column_form, word_form

_PAIRS = (
    ("instruction", "output"), ("instruction", "response"),
    ("input", "output"), ("question", "answer"), ("prompt", "response"), ("prompt", "completion"),
    ("query", "response"), ("query", "answer"), ("request", "response"), ("message", "response"), ("message", "reply"),
    ("inputs", "outputs"), ("query_input", "query_result"), ("ai_input", "ai_output_choices"),
    ("request_body", "response_body"), ("attributes.input.value", "attributes.output.value"),
)  # fmt: skip
"""Names that go before others of the same table, and names of single platforms."""

_ASKED = frozenset({
    "question", "query", "prompt", "input", "request", "instruction", "inquiry", "ask", "frage", "anfrage",
    "eingabe", "pregunta", "consulta", "domanda", "pergunta", "vraag", "pytanie", "вопрос", "запрос", "问题",
    "質問", "提问",
})  # fmt: skip
_ANSWERED = frozenset({
    "answer", "response", "reply", "output", "completion", "antwort", "ausgabe", "reponse", "respuesta",
    "risposta", "resposta", "antwoord", "odpowiedz", "ответ", "回答", "答案", "回复", "回答内容",
})  # fmt: skip
_SAID = frozenset({
    "message", "msg", "text", "content", "utterance", "turn", "said", "comment", "body", "nachricht",
    "mensaje", "mensagem", "messaggio", "texte", "texto", "сообщение", "текст", "消息", "内容",
})  # fmt: skip
"""Words for a question, for an answer, and for a text of either."""
_ALONE = (frozenset({"human", "user"}), frozenset({"assistant", "ai", "bot", "chatbot", "gpt", "chatgpt"}))
"""Words for the two sides that name a text by themselves; ``customer``, ``agent`` and ``model`` name who it was."""
_SINGLE_MESSAGES = frozenset({
    "role", "text", "sender", "from", "speaker", "author_role", "author_type", "sender_type", "sender_role",
})  # fmt: skip
"""Columns of a table with a message per row."""


class Pair(NamedTuple):
    """The columns of an exchange.

    Attributes:
        question: Column of the question.
        answer: Column of the answer.
        answers_as: Role of who answers: ``assistant``, or ``agent``.
    """

    question: str
    answer: str
    answers_as: str


def pair_of(names: Iterable[str]) -> Pair | None:
    """Return the columns of the question and the answer, of a table's columns; None if they are not both there.

    A column with words for a customer beside words for a text, such as ``customer_message``, is the question, and one
    with words for an agent or a model is the answer: ``agent_reply``, ``bot_answer``. So are columns that only have
    words for a question or an answer.
    """
    return _pair_of(tuple(names))


@lru_cache(maxsize=4096)
def _pair_of(names: tuple[str, ...]) -> Pair | None:
    given = {form: name for name in reversed(names) for form in (word_form(name), column_form(name), name)}
    if given.keys() & {"role", "text", "sender", "from"}:
        return None
    for ask, answer in _PAIRS:
        if ask in given and answer in given:
            return Pair(given[ask], given[answer], "assistant")
    if given.keys() & _SINGLE_MESSAGES:
        return None
    sides = {name: _side_of(word_form(name)) for name in names}
    asking = [name for name, side in sides.items() if side is not None and side.asks]
    answering = [name for name, side in sides.items() if side is not None and not side.asks]
    if not asking or not answering:
        return None
    # A column that names who speaks goes before one that does not.
    question = max(asking, key=lambda name: sides[name].role is not None)  # type: ignore[union-attr]
    answer = max(answering, key=lambda name: sides[name].role is not None)  # type: ignore[union-attr]
    speaker, asked_of = sides[answer], sides[question]
    is_person = speaker is not None and speaker.role == "agent" and asked_of is not None and asked_of.role != "agent"
    return Pair(question, answer, "agent" if is_person else "assistant")


class _Side(NamedTuple):
    """What a column's name says: whether it is the question, and who speaks, or of a program, what it was asked."""

    asks: bool
    role: str | None


@lru_cache(maxsize=4096)
def _side_of(form: str) -> _Side | None:
    """Return whether a column's name means a question or an answer, and the role that it names; None if neither."""
    if form in _ALONE[0] or form in _ALONE[1]:
        return _Side(form in _ALONE[0], default_role_words()[form])
    words = form.split("_")
    texts = [word for word in words if word in _ASKED or word in _ANSWERED or word in _SAID]
    others = "_".join(word for word in words if word not in texts)
    role = default_role_words().get(others) if others else None
    asks, answers = not _ASKED.isdisjoint(texts), not _ANSWERED.isdisjoint(texts)
    if not texts or (asks and answers) or (others and role not in {"user", "assistant", "agent"}):
        return None
    if role is None and not (asks or answers):  # a text of either side
        return None
    return _Side(asks or role == "user", role)
