"""Rows with a question and its answer side by side, as Langfuse, LangWatch, phospho and home-made logs export them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple, cast

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.exchange_texts import answer_text, bodies_within, messages_of, sides_of, text_of
from analytics_platform.sources.shapes.exports.exchange_columns import Pair, pair_of
from analytics_platform.sources.shapes.id_keys import (
    CONVERSATION_KEYS,
    COST_KEYS,
    REQUEST_USER_KEYS,
    TIME_KEYS,
    USER_KEYS,
)
from analytics_platform.sources.shapes.identity import (
    MessagePlace,
    Turn,
    identify,
    identify_conversation,
    identify_row,
)
from analytics_platform.sources.shapes.model_bodies import (
    plain_prompt,
    time_of_answer,
)
from analytics_platform.sources.shapes.response_chains import chain_of
from analytics_platform.sources.shapes.shape import (
    Context,
    Shape,
    first_of,
    message_text,
    parsed,
    plain_values,
    speaker,
    unwrapped_time,
)
from analytics_platform.sources.shapes.table_parts.column_names import column_form, word_form
from analytics_platform.sources.shapes.table_parts.table_columns import usual_forms
from analytics_platform.sources.shapes.token_usage import stated_tokens

_CONVERSATION = (
    *CONVERSATION_KEYS,
    "group_id",
    "ai_session_id",
    "ai_trace_id",
    "attributes.session.id",
    "Helicone-Session-Id",
    *usual_forms("conversation_id"),
)
_TIMES = (*TIME_KEYS, "request_created_at", *usual_forms("timestamp"))
_ENDS = ("end_time", "endTime", "completed_at", "finished_at", "answered_at", "response_created_at")
_KEYS = ("id", "trace_id", "traceId", "message_id", "run_id", "request_id")
_USERS = (*USER_KEYS, "distinct_id", *usual_forms("user_id"))
_MODELS = (
    "model", "ai_model", "model_name", "providedModelName", "attributes.llm.model_name", "response_model", "modelId",
)  # fmt: skip
_INPUT_TOKENS = ("input_tokens", "inputTokens", "promptTokens", "prompt_tokens", "ai_input_tokens")
_OUTPUT_TOKENS = ("output_tokens", "outputTokens", "completionTokens", "completion_tokens", "ai_output_tokens")
_RATINGS = ("rating", "score", "csat")
_READ = frozenset({
    *_CONVERSATION, *_TIMES, *_ENDS, *_KEYS, *_USERS, *_MODELS, *_INPUT_TOKENS, *_OUTPUT_TOKENS, *COST_KEYS, *_RATINGS,
    "role", "text", "sequence", "time_source",
})  # fmt: skip
"""Keys whose values become input columns; all others stay as they are."""
_DETAILS = ("metadata", "metrics", "trace", "request_properties", "properties")
"""Keys of objects in which LangWatch, Langfuse and Helicone keep session, user and tokens."""
_THREADS = ("thread_id", "session_id", "conversation_id")
"""Keys of the conversation in the metadata of a LangSmith run."""
_RUN_CONVERSATIONS = ("thread_id", "conversation_id", "trace_id", "id")
"""Keys of the conversation in a LangSmith run itself."""
_ARGUMENTS = frozenset({"args", "kwargs"})
"""Keys of the input of a function that Langfuse's decorator observes."""
_LEVELS = frozenset({
    "SPAN", "EVENT", "TOOL", "RETRIEVER", "CHAIN", "EMBEDDING", "GUARDRAIL", "EVALUATOR",
    "TASK", "FUNCTION", "SCORE", "EVAL", "REVIEW",
})  # fmt: skip
"""Kinds of observations of Langfuse and of spans of Braintrust that are no exchange of a customer and the assistant."""


def unfold(record: Record, context: Context) -> Iterator[Record]:
    """Yield the question and the answer of one exchange.

    Of a question that is a list of messages, the last of the user is taken. Where the record names a session, whose
    requests repeat the messages before, all messages are taken that no earlier request of the session has.
    """
    pair = pair_of(record)
    if pair is None:
        raise KeyError("question and answer")
    if _is_part(record, context):
        return
    sides = (pair.question, pair.answer)
    further = {name: value for name, value in plain_values(record, but=sides).items() if not _is_read(name)}
    said = _said_in_sessions(context).get(id(record))
    record = _prepared(record, sides)
    stated = _stated_time(record)
    asking, answering = sides_of(record, pair)
    created = None if stated else time_of_answer(*bodies_within(answering))
    start, ended = context.time_of(stated, created), first_of(record, *_ENDS) or created
    user = first_of(record, *_USERS) or _user_of_request(record, asking, but=sides)
    asked, answered = _question(asking) or None, answer_text(answering) or None
    if asked is None and answered is None and any(record.get(name) not in (None, "") for name in sides):
        raise ValueError("neither the question nor the answer has a known form")
    chain = chain_of(record, pair, context)
    if chain is not None and first_of(plain_values(record), *_CONVERSATION) is None:
        record = {**record, **chain}
    conversation, question_id, answer_id = _identities(record, context, (user, stated or created, asked, answered))
    common = {**further, "conversation_id": conversation, "user_id": user}
    question: Record = {"message_id": question_id, "role": "user", "text": asked, **start}
    answer: Record = {"message_id": answer_id, "role": pair.answers_as, "text": answered}
    rows = (
        [question, answer] if said is None else _rows_of_session(said, question, answer, partial(context.time_of, None))
    )
    for row in rows:
        if row is answer and answered is not None:
            tokens = stated_tokens(record, *bodies_within(answering))
            yield {
                **common,
                **answer,
                **(context.time_of(ended, stated) if ended or stated else start),
                "model": first_of(record, *_MODELS)
                or _model_of_run(record, context)
                or _model_within(answering, asking),
                "input_tokens": first_of(record, *_INPUT_TOKENS)
                or tokens.get("input_tokens")
                or _counted(asking, "input"),
                "output_tokens": first_of(record, *_OUTPUT_TOKENS)
                or tokens.get("output_tokens")
                or _counted(answering, "output"),
                "cost": first_of(record, *COST_KEYS),
                "rating": first_of(record, *_RATINGS),
            }
        elif row["text"] is not None:
            yield {**common, **row}


def _prepared(record: Record, sides: Collection[str]) -> Record:
    """Return an exchange with its values under the forms of their names, and those of its inner objects."""
    record = {word_form(name): value for name, value in record.items()} | record
    thread = _thread_of(record)
    if thread is not None:
        record = {**record, "conversation_id": thread}
    for inner in _DETAILS:
        if isinstance(record.get(inner), Mapping):
            record = {**plain_values(record[inner], but=sides), **record}
    return record


def _stated_time(record: Record) -> Any:
    return first_of(record, *_TIMES) or _nested_time(record)


class _Said(NamedTuple):
    """A message of a request of a session, its place, and whether no earlier request has it."""

    turn: Turn
    place: MessagePlace
    is_new: bool


def _said_in_sessions(context: Context) -> dict[int, list[_Said]]:
    """Return the messages of requests that name a session and hold lists of messages, by the identity of the record.

    Of the records that are read together, those of a session are taken in the order of their times, so that a message
    belongs to the request that first had it, also in a file that is written newest first. Where a time is neither
    ISO 8601 nor a number, they are taken in the order of the file.
    """
    if context.memory.get("session_records") is not context.neighbours:
        sessions: dict[str, list[tuple[float | None, int, list[Turn]]]] = {}
        for record in context.neighbours:
            pair = pair_of(record)
            if pair is None or not _may_hold_messages(record.get(pair.question)) or _is_part(record, context):
                continue
            prepared = _prepared(record, pair)
            session = first_of(plain_values(prepared), *_CONVERSATION)
            turns = None if session is None else _turns(prepared, pair)
            if turns:
                sessions.setdefault(str(session), []).append((_seconds(_stated_time(prepared)), id(record), turns))
        seen: set[str] = set()
        said = {}
        for session, requests in sessions.items():
            if all(time is not None for time, _, _ in requests):
                requests.sort(key=lambda one: one[0] or 0)
            for _, key, turns in requests:
                places = identify(context, session, turns)
                said[key] = [
                    _Said(turn, place, place.message_id not in seen) for turn, place in zip(turns, places, strict=True)
                ]
                seen.update(place.message_id for place in places)
        context.memory |= {"session_records": context.neighbours, "said": said}
    return cast("dict[int, list[_Said]]", context.memory["said"])


def _seconds(time: Any) -> float | None:
    """Return a time as a number that can be compared within a file; None of one in another form than ISO 8601.

    A time without an offset counts as UTC, and a number as it is.
    """
    text = str(unwrapped_time(time)).strip()
    with contextlib.suppress(ValueError):
        return float(text)
    with contextlib.suppress(ValueError):
        moment = dt.datetime.fromisoformat(text.removesuffix("UTC").rstrip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    return None


def _may_hold_messages(value: Any) -> bool:
    """Tell whether a question is an object or a list, or may be the JSON of one; a plain text is told quickly."""
    return isinstance(value, list | Mapping) or (isinstance(value, str) and value[:1] in {"[", "{", '"'})


def _turns(record: Record, pair: Pair) -> list[Turn] | None:
    """Return the messages of a request and its answer; None of a request that holds no list of messages."""
    asking, answering = sides_of(record, pair)
    messages = messages_of(asking)
    if messages is None or not any(speaker(message) == "user" for message in messages):
        return None
    turns = [Turn(speaker(message), message_text(message)) for message in messages]
    answered = answer_text(answering)
    answers = [Turn(pair.answers_as, answered)] if answered else []
    return [*(turn for turn in turns if turn.text and turn.role != "system"), *answers]


def _rows_of_session(
    said: Sequence[_Said], question: Record, answer: Record, time_of: Callable[[Any], Record]
) -> Iterator[Record]:
    """Yield what a request adds to its session: messages before it that no record had, its question and its answer."""
    is_answered = answer["text"] is not None
    last = max((at for at, one in enumerate(said) if one.turn.role == "user"), default=-1)
    for at, (turn, place, is_new) in enumerate(said):
        own = {"message_id": place.message_id, "sequence": place.position}
        if not is_new:
            continue
        if is_answered and at == len(said) - 1:
            answer |= own
            yield answer
        elif at == last:
            yield {**question, **own}
        else:
            yield {**own, "role": turn.role, "text": turn.text, **time_of(question["timestamp"])}


def _user_of_request(record: Record, request: Any, but: Iterable[str]) -> Any:
    """Return the customer whom a record or its request names as OpenAI or Anthropic do; None if they name nobody.

    Args:
        record: The record.
        request: Its question.
        but: The columns of the question and the answer, of which one may be called ``user``.
    """
    requests = [body for body in bodies_within(request) if isinstance(body, Mapping) and messages_of(body)]
    details = [body["metadata"] for body in requests if isinstance(body.get("metadata"), Mapping)]
    holders = [plain_values(record, but=but), *map(plain_values, (*requests, *details))] if requests else []
    return next((user for holder in holders if (user := first_of(holder, *REQUEST_USER_KEYS)) is not None), None)


def _model_within(*bodies: Any) -> Any:
    """Return the model that an answer or else its request names."""
    holders = (holder for body in bodies for holder in bodies_within(body) if isinstance(holder, Mapping))
    return next((holder["model"] for holder in holders if isinstance(holder.get("model"), str)), None)


def _counted(body: Any, side: str) -> Any:
    """Return the number of tokens that Bedrock states beside the body of a logged request or answer."""
    return body.get(f"{side}TokenCount") if isinstance(body, Mapping) else None


def _is_part(record: Record, context: Context) -> bool:
    """Tell whether a record is a step within an exchange that another record tells, and no exchange of its own.

    Of the runs of LangSmith and the spans of Braintrust, the root of a trace is the exchange; the runs of models below
    count if the file has no root with a question and an answer.
    """
    span = record.get("span_attributes")
    kind = span.get("type") if isinstance(span, Mapping) else None
    is_step = str(record.get("type") or record.get("run_type") or kind or "").upper() in _LEVELS
    if not _is_run(record):
        return is_step
    is_told = _trace_of(record) in _roots(context)
    return not is_told if is_step and _is_root(record) else is_step or (is_told and not _is_root(record))


def _is_run(record: Record) -> bool:
    """Tell whether a record is a run of LangSmith or a span of Braintrust, of which a trace has several."""
    return "run_type" in record or "root_span_id" in record


def _is_root(run: Record) -> bool:
    parent = first_of(run, "parent_run_id", "span_parents")
    return parent in (None, [], "[]") and "." not in str(run.get("dotted_order") or "")


def _trace_of(run: Record) -> str:
    return str(first_of(run, "root_span_id", "trace_id", "id"))


def _roots(context: Context) -> dict[str, Any]:
    """Return the traces of the runs read together whose root has a question and an answer, each with its model."""
    if context.memory.get("neighbours") is not context.neighbours:
        runs = list(filter(_is_run, context.neighbours))
        models = {_trace_of(run): model for run in runs if (model := _metadata(run).get("ls_model_name"))}
        roots = {}
        for run in filter(_is_root, runs):
            pair = pair_of(run)
            question, answer = sides_of(run, pair) if pair else (None, None)
            if _question(question) and answer_text(answer):
                roots[_trace_of(run)] = models.get(_trace_of(run))
        context.memory |= {"neighbours": context.neighbours, "roots": roots}
    return cast("dict[str, Any]", context.memory["roots"])


def _model_of_run(record: Record, context: Context) -> Any:
    """Return the model of a LangSmith run, or of a run below it."""
    if "run_type" not in record:
        return None
    return _metadata(record).get("ls_model_name") or _roots(context).get(_trace_of(record))


def _metadata(run: Record) -> Mapping[str, Any]:
    """Return the metadata of a LangSmith run, which stand in ``extra``, or beside it in some exports."""
    extra = parsed(run.get("extra"))
    inner = parsed(extra.get("metadata")) if isinstance(extra, Mapping) else None
    return {
        name: value
        for found in (parsed(run.get("metadata")), inner)
        if isinstance(found, Mapping)
        for name, value in found.items()
    }


@lru_cache(maxsize=8192)
def _is_read(name: str) -> bool:
    return not _READ.isdisjoint((name, column_form(name), word_form(name)))


def _identities(
    record: Record, context: Context, content: tuple[Any, Any, str | None, str | None]
) -> tuple[str, str | None, str | None]:
    """Return the ids of an exchange's conversation, question and answer.

    Of a message with a time and without an id, the id is None: the rules for rows make one.

    Args:
        record: The exchange.
        context: Its file.
        content: Customer, stated time, question and answer.
    """
    _, time, asked, answered = content
    key = first_of(record, *_KEYS)
    conversation = (
        first_of(plain_values(record), *_CONVERSATION)
        or first_of(record, "trace_id", "traceId", "context.trace_id")
        or key
    )
    if conversation is None:
        conversation = key = identify_conversation(context, *content)
    if key is not None:
        return str(conversation), f"{key}:question", f"{key}:answer"
    if time is not None:
        return str(conversation), None, None
    ids = (identify_row(context, conversation, *said) for said in (("user", asked), ("assistant", answered)))
    return str(conversation), next(ids), next(ids)


def _thread_of(record: Record) -> Any:
    """Return the conversation of a LangSmith run: the thread in its metadata, or else its trace; None of other records.

    Its ``session_id`` is a project, which all conversations share.
    """
    if "run_type" not in record:
        return None
    return first_of(_metadata(record), *_THREADS) or first_of(record, *_RUN_CONVERSATIONS)


def _nested_time(record: Record) -> Any:
    """Return the time of a LangWatch trace, which stands under ``timestamps``."""
    times = record.get("timestamps")
    return first_of(times, "started_at", "inserted_at") if isinstance(times, Mapping) else None


def _question(value: Any) -> str | None:
    messages = messages_of(value)
    if messages is not None:
        asked = [message for message in messages if speaker(message) == "user"]
        return message_text(asked[-1]) if asked else None
    value = plain_prompt(value)
    said = text_of(
        value, "input", "question", "query", "text", "prompt", "message", "human_input", "user_input", "transcript"
    )
    return said if said is not None or not isinstance(value, Mapping) else _question_among(value)


def _question_among(value: Mapping[str, Any]) -> str | None:
    """Return the question in an object under another key, or in the arguments of a function that Langfuse observed.

    It is the only text, apart from ids and names of models, or the messages; of several texts, none is known to be it.
    """
    given: list[Any] = [item for name, item in value.items() if not _is_read(name) and isinstance(item, str)]
    if value.keys() <= _ARGUMENTS:
        args, named = value.get("args"), value.get("kwargs")
        given = [*(args if isinstance(args, list) else []), *([named] if isinstance(named, Mapping) else [])]
        with_messages = [item for item in given if messages_of(item)]
        given = with_messages or [item for item in given if isinstance(item, (str, Mapping))]
    texts = [text for item in given if (text := _question(item))]
    return texts[0] if len(texts) == 1 else None


EXCHANGES = Shape(
    "exchanges",
    "question and answer in one record",
    lambda record: pair_of(record) is not None,
    unfold,
    "Each record becomes two messages; of a list of messages the last question counts, and in a session all that no "
    "record before it has.",
)
