"""Take the columns of a table for input columns by the names that help desks and chat systems give them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from analytics_platform.model.tables.raw_tables import REQUIRED_INPUT
from analytics_platform.sources.row_rules.role_vocabularies import tells_roles
from analytics_platform.sources.shapes.table_parts.column_names import by_form, column_form, word_form
from analytics_platform.sources.shapes.table_parts.table_roles import says_who_speaks

_NAMES: dict[str, tuple[str, ...]] = {
    "conversation_id": (
        "conversation", "conversationid", "ticket_id", "ticketid", "ticket", "thread_id", "threadid", "thread",
        "session_id", "sessionid", "session", "chat_id", "chatid", "chat", "case_id", "casenumber", "case_number",
        "dialog_id",
        "dialogue_id", "conv_id", "conversation_uuid", "conversation_hash", "issue_id", "room_id", "ticket_number",
        "message_tree_id", "conversations_thread_id", "conversation.id", "ticketnummer", "fall",
        "gespräch", "vorgang", "konversation", "conversación", "диалог", "обращение",
        "会话id", "对话id", "会話id", "チケット",
        "ticket_nr", "ticket_no", "vorgangsnummer", "fallnummer", "numéro_de_ticket", "n_ticket", "id_ticket",
        "número_de_ticket", "numero_ticket", "numero_di_ticket", "número_do_ticket", "conversazione", "conversa",
        "gesprek", "rozmowa", "zgłoszenie", "numer_zgłoszenia", "nr_zgłoszenia",
        "nº_ticket", "n_de_ticket", "nº_de_ticket", "nro_ticket", "nro_de_ticket", "id_de_ticket", "id_conversation",
        "id_de_conversation", "id_conversación", "id_conversazione", "id_conversa", "id_gesprek", "id_rozmowy",
        "id_zgłoszenia", "gesprächs_id", "konversations_id", "тикет", "номер_тикета", "id_тикета", "номер_обращения",
        "id_обращения", "id_диалога", "問い合わせ番号", "お問い合わせ番号", "チケットid", "チケット番号", "会話番号",
        "工单号", "工单编号", "工单id", "会话编号", "对话编号",
        "chat_session", "chat_identifier", "conversation_sid", "channel_sid", "message_thread_id",
        "conversationtranscriptid", "chat_nr", "chat_no", "chat_number", "chatnummer", "conversation_number",
        "gesprächsnummer", "conversation_no",
    ),
    "role": (
        "author_role", "actor_type", "author_type", "authortype", "sender_type", "sendertype", "sender_role", "speaker",
        "speaker_role",
        "from_role", "user_type", "message_role", "participant", "participant_type", "from", "sender", "author",
        "actor", "participant_role", "author_kind", "sender_kind", "from_type",
        "direction", "who", "rolle", "absender", "rôle", "rol", "ruolo", "роль", "отправитель",
        "角色", "役割", "发送者", "送信者", "автор", "de",
        "autor", "autorin", "verfasser", "auteur", "expéditeur", "remitente", "autore", "mittente", "remetente",
        "afzender", "nadawca", "participant_purpose", "sent_by", "sender_t", "from_role",
        "initiator_type", "message_from",
        "type", "event", "message_type", "kind", "interaction_type",
    ),
    "text": (
        "message", "body", "content", "message_text", "messagetext", "plain_body", "text_body", "comment_body",
        "message_body", "utterance", "msg", "comment_text", "html_body", "value",
        "body_text", "stripped_text", "description_text", "payload_text", "message_content",
        "nachricht", "mensaje", "mensagem", "messaggio", "сообщение", "текст", "内容", "消息", "メッセージ", "本文",
        "nachrichtentext", "kommentar", "inhalt", "texte", "commentaire", "contenu", "texto", "comentario", "contenido",
        "testo", "commento", "contenuto", "comentário", "conteúdo", "tekst", "bericht", "opmerking", "inhoud",
        "wiadomość", "komentarz", "treść",
        "消息内容", "メッセージ内容", "текст_сообщения",
        "comment", "message_parts", "preview", "mes", "text_content", "html_text", "extract",
        "parts",
    ),
    "message_id": (
        "messageid", "comment_id", "commentid", "msg_id", "event_id", "message_uuid", "comment", "id",
        "uuid",
    ),
    "timestamp": (
        "created_at", "createdat", "created", "time", "datetime", "date_time", "date", "sent_at", "sentat", "sent",
        "message_time", "comment_created_at", "message_created_at", "create_time", "createdtime", "created_time",
        "createddatetime", "ts", "event_time", "posted_at", "created_date", "date_created",
        "message_created", "timestamp_utc", "created_at_utc", "message_date", "tstamp", "received", "sent_datetime",
        "published_at", "created_datetime", "created_date_time", "commented_time",
        "absolute_time", "date_sent", "start_time",
        "timestamp_ms", "дата", "время", "时间", "日時", "送信日時", "horodatage", "fecha_hora",
        "data_hora", "zeit", "zeitpunkt", "zeitstempel", "datum", "fecha",
        "erstellt_am", "erstellt", "erstellungsdatum", "gesendet_am", "gesendet", "créé_le", "date_de_création",
        "envoyé_le", "date_d_envoi", "date_heure", "creado_el", "creado", "fecha_de_creación", "fecha_creación",
        "enviado_el", "fecha_hora", "creato_il", "creato", "data_di_creazione", "data_creazione", "inviato_il",
        "data_ora", "criado_em", "data_de_criação", "data_criação", "enviado_em", "enviado", "aangemaakt_op",
        "aangemaakt", "gemaakt_op", "verzonden_op", "verzonden", "utworzono", "data_utworzenia", "wysłano",
        "data_wysłania", "data", "start_time_ms", "time_l", "created_on", "send_date", "create_date",
        "sent_date", "sentdate", "fecha_y_hora", "data_e_ora", "data_e_hora", "date_et_heure", "datum_en_tijd",
        "datum_und_uhrzeit", "data_i_godzina", "tijdstip", "дата_и_время", "дата_создания", "создано",
        "дата_отправки", "время_отправки", "отправлено", "作成日時", "作成日", "创建时间", "发送时间",
    ),
    "user_id": (
        "userid", "customer_id", "customerid", "requester_id", "requesterid", "requester", "contact_id", "client_id",
        "end_user_id", "customer", "customer_email", "requester_email", "kunde", "kunden_id", "kundennummer",
        "kunden_nr", "anfragender", "client", "id_client", "demandeur", "cliente", "id_cliente", "solicitante",
        "visitor_id", "visitor_email", "visitor", "contact_email",
        "richiedente", "klant", "klant_id", "klantnummer", "aanvrager", "klient", "id_klienta", "zgłaszający",
    ),
    "agent_id": (
        "agentid", "assignee_id", "assignee", "agent", "operator_id", "agent_name", "agent_email",
        "bearbeiter", "zugewiesen_an", "zuständig", "assigné_à", "assigné", "agente", "asignado_a", "asignado",
        "assegnato_a", "atribuído_a", "behandelaar", "toegewezen_aan", "przypisany_do", "przypisany",
    ),
    "channel": ("via", "via_channel", "source_channel", "kanal", "canal", "canale", "kanaal", "kanał"),
    "model": ("model_name", "llm", "engine"),
    "language": ("lang", "locale", "language_code", "sprache", "langue", "idioma", "lingua", "taal", "język"),
    "input_tokens": (
        "prompt_tokens", "tokens_in", "input_token_count", "prompt_token_count", "tokens_input", "tokens_prompt",
        "in_tokens", "num_input_tokens", "num_prompt_tokens", "usage.input_tokens", "usage.prompt_tokens",
    ),
    "output_tokens": (
        "completion_tokens", "tokens_out", "output_token_count", "completion_token_count", "tokens_output",
        "tokens_completion", "out_tokens", "num_output_tokens", "num_completion_tokens", "usage.output_tokens",
        "usage.completion_tokens",
    ),
    "rating": (
        "csat", "satisfaction", "satisfaction_score", "score", "stars", "csat_score",
        "satisfaction_rating", "satisfaction_rating.score", "csat_rating", "customer_satisfaction", "bewertung",
        "évaluation", "calificación", "valutazione", "avaliação", "beoordeling", "ocena",
    ),
    "outcome": (
        "status", "ticket_status", "resolution", "state", "ergebnis", "statut", "état", "estado", "stato", "stan",
        "résultat", "resultado", "risultato", "resultaat", "wynik",
    ),
}  # fmt: skip
_REFERRED: dict[str, tuple[str, ...]] = {
    "conversation_id": ("case", "issue", "dialog", "dialogue", "request", "inquiry", "support_request", "call", "room"),
    "user_id": ("contact", "client", "user", "requester", "person", "kunde", "cliente"),
    "agent_id": ("operator", "employee", "staff", "representative", "support_agent"),
}
"""What a table is called whose rows are conversations, customers or agents, further to the names of columns."""
_FORMS = {column: tuple(dict.fromkeys(map(column_form, names))) for column, names in _NAMES.items()}
_TOKENS = ("input_tokens", "output_tokens")
_OPTIONAL = ("user_id", "agent_id", "channel", "model", "language", *_TOKENS, "rating", "outcome")
"""Columns that are taken by usual names where a table has every required column."""
_AMBIGUOUS = frozenset({"score", "status", "state", "engine", "via", "statut", "etat", "estado", "stato", "stan"})
"""Names that may tell something of a single message: whether it was delivered, or how certain a model is."""
_OF_SINGLE_VALUES = frozenset({"user_id", "agent_id", "channel", "model", "language", "rating", "outcome"})
"""Input columns for which an object with several values is none."""
_KINDS = frozenset({"message_type", "kind", "interaction_type"})
"""Names of columns that say who speaks only if words for roles are in them; else they say what a row is."""


_CREATED = re.compile(r"creat|^cre[ae]|^cria|criacao|creacion|creazione|erstell|gemaakt|utworz|создан|作成|创建")
"""Forms of the names of times that may be those of the ticket on each of its rows."""
_OF_MESSAGE = tuple(map(column_form, (
    "message_created_at", "message_created", "message_time", "comment_created_at", "sent_at", "sentat", "sent",
    "reply_time", "reply_created_at", "posted_at", "sent_datetime", "sent_date", "sentdate", "date_sent", "send_date",
    "message_date", "gesendet_am", "gesendet", "envoyé_le", "date_d_envoi", "enviado_el", "enviado_em", "enviado",
    "inviato_il", "verzonden_op", "verzonden", "wysłano", "data_wysłania", "送信日時", "发送时间",
    "дата_отправки", "время_отправки", "отправлено",
)))  # fmt: skip
"""Forms of the names of times that are those of single messages."""
_MOMENT = re.compile(r"\d[-/.年]\s?\d+[-/.月]\s?\d.*\d:\d|^\s*\d{9,}(?:\.\d+)?\s*$")
"""A date with a time of the day, or an epoch number."""
_ID = re.compile(r"\S*\d\S*")
"""A value that may identify a comment, and is not its text."""


def usual_forms(column: str) -> tuple[str, ...]:
    """Return the forms of the names that usually mean an input column, its own first."""
    return (column, *_FORMS[column])


def usual_columns(
    names: Collection[str],
    stated: Collection[str],
    excluded: Mapping[str, Collection[str]] = MappingProxyType({}),
    values: Mapping[str, Iterable[Any]] | None = None,
) -> dict[str, str]:
    """Return the columns that a table lacks by our names, with the table's columns that usually mean them.

    Of a table that has every required column by our names, only optional columns are taken, by names that mean nothing
    else; of a table whose required columns the mapping names, none.

    Args:
        names: Columns of the table.
        stated: Input columns that the mapping fills.
        excluded: Input column to the columns of the table that cannot be it, because their type does not fit.
        values: First values of the columns. Of several columns that may hold the role, one with a known word is taken.

    Returns:
        Input column to column of the table; a column is taken at most once.
    """
    lacking = [column for column in _NAMES if column not in names and column not in stated]
    if all(name in names for name in REQUIRED_INPUT):
        wanted = [column for column in lacking if column in _OPTIONAL] if not set(REQUIRED_INPUT) & {*stated} else []
        certain = [name for name in names if column_form(name) not in _AMBIGUOUS]
        return _matches(certain, wanted, excluded, values)
    if all(name in names or name in stated for name in REQUIRED_INPUT):
        return {}
    return _matches(names, lacking, excluded, values)


def usual_attributes(
    names: Collection[str], wanted: Collection[str], excluded: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, str]:
    """Return the input columns of ``wanted`` that a table has by our names or by their usual names.

    Args:
        names: Columns of a table of conversations.
        wanted: Input columns.
        excluded: As for ``usual_columns``.
    """
    return _matches(names, [column for column in _NAMES if column in wanted], excluded)


def meaning_of(name: str) -> str | None:
    """Return the input column that a name such as ``Tickets`` or ``Customer`` usually means; None if it means none.

    Args:
        name: Name of a table, or of a column that refers to a table; singular or plural.
    """
    form = column_form(name)
    forms = {form, form.removesuffix("s"), form.removesuffix("es")}
    for column in ("conversation_id", "user_id", "agent_id"):
        if forms & {column, *_FORMS[column], *map(column_form, _REFERRED.get(column, ()))}:
            return column
    return None


def _matches(
    names: Collection[str],
    wanted: Collection[str],
    excluded: Mapping[str, Collection[str]],
    values: Mapping[str, Iterable[Any]] | None = None,
) -> dict[str, str]:
    name_of = by_form(names)
    for name in names:
        name_of.setdefault(word_form(name), name)
        if ".usage." in name:  # of an answer within the record
            name_of.setdefault(word_form(f"usage.{name.rpartition('.')[2]}"), name)
    taken: set[str] = set()
    guessed: dict[str, str] = {}
    for column in wanted:
        unfit = taken | {*excluded.get(column, ())}
        forms = usual_forms(column)
        candidates = [name_of[form] for form in forms if form in name_of and name_of[form] not in unfit]
        if column == "role" and values is None:
            candidates = [one for one in candidates if column_form(one) not in {"de", *_KINDS}]
        elif candidates and values is not None:
            candidates = _fitting(column, candidates, names, guessed, values)
        match = next(iter(candidates), None)
        if match is not None:
            guessed[column] = match
            taken.add(match)
    if "conversation_id" in wanted and "conversation_id" not in guessed and values is not None:
        parent = name_of.get("parent_id") or name_of.get("parentid")
        if parent is not None and parent not in taken and _is_of_tickets(parent, guessed, values):
            guessed["conversation_id"] = parent
    return guessed


def _times_of_messages(
    candidates: list[str], name_of: Mapping[str, str], values: Mapping[str, Iterable[Any]]
) -> list[str]:
    """Return columns of times, that of single messages before one that may be the time of their ticket."""
    if not _CREATED.search(column_form(candidates[0])) or column_form(candidates[0]) in _OF_MESSAGE:
        return candidates
    created = [*values[candidates[0]]]
    by_words = {word_form(name): name for name in name_of.values()} | dict(name_of)
    for name in (by_words[form] for form in _OF_MESSAGE if form in by_words):
        own = [str(value) for value, other in zip(values[name], created, strict=False) if other]
        is_whole = len(own) == sum(map(bool, created)) and all(map(_MOMENT.search, own))
        if is_whole and len({*own}) >= len({str(value) for value in created if value}):
            return [name, *candidates]
    return candidates


def _texts_of_messages(
    candidates: list[str], conversations: Iterable[Any] | None, values: Mapping[str, Iterable[Any]]
) -> list[str]:
    """Return columns of texts, one that differs within a ticket before one that repeats the ticket's own text."""
    keys = [*(conversations or ())]
    pairs = {name: [*zip(map(str, keys), map(str, values[name]), strict=False)] for name in candidates}
    varied = [name for name in candidates if len({*pairs[name]}) > len({*map(str, keys)})]
    first = candidates[0]
    if len({*map(str, keys)}) == len(keys) or first in varied or any(len(one) < len(keys) for one in pairs.values()):
        return candidates
    text = next((name for name in varied if not _are_ids(values[name])), first)
    return [text, *(name for name in candidates if name != text)]


def _is_of_conversations(conversations: Iterable[Any] | None, values: Iterable[Any]) -> bool:
    """Tell whether each row of a conversation repeats one number, so that their sum would count it several times."""
    keys = [*map(str, conversations or ())]
    return len({*zip(keys, map(str, values), strict=False)}) == len({*keys}) < len(keys)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, str) and value.startswith('{"'))


def _are_ids(values: Iterable[Any]) -> bool:
    """Tell whether each value is a word with a digit."""
    return all(_ID.fullmatch(str(value)) for value in values if value)


def _fitting(
    column: str,
    candidates: list[str],
    names: Collection[str],
    guessed: Mapping[str, str],
    values: Mapping[str, Iterable[Any]],
) -> list[str]:
    """Return the columns that an input column may be by their values, the likeliest first."""
    conversations = values.get(guessed.get("conversation_id", "conversation_id"))
    if column in _OF_SINGLE_VALUES:
        return [one for one in candidates if not any(map(_is_object, values[one]))]
    if column in _TOKENS:
        return [one for one in candidates if not _is_of_conversations(conversations, values[one])]
    if column == "role":
        candidates = [one for one in candidates if any(values[one])]  # an empty column says nothing
        telling = {one for one in candidates if tells_roles(column_form(one), values[one])}
        candidates.sort(key=lambda one: one not in telling)
        unsure = {"event", "de", *_KINDS, *(("type",) if says_who_speaks(names) else ())}
        if candidates[:1] and column_form(candidates[0]) in unsure and candidates[0] not in telling:
            return []  # a happening, how a message came: by email or as a text, or German texts
    elif column == "timestamp":
        return _times_of_messages(candidates, by_form(names), values)
    elif column == "text":
        return _texts_of_messages(candidates, conversations, values)
    elif column == "message_id":
        return [one for one in candidates if column_form(one) != "comment" or _are_ids(values[one])]
    return candidates


def _is_of_tickets(parent: str, guessed: Mapping[str, str], values: Mapping[str, Iterable[Any]]) -> bool:
    """Tell whether a column of parents, as in Salesforce, names tickets: each row has one, and none is a message."""
    parents, own = [*values[parent]], {*values.get(guessed.get("message_id", ""), ())}
    return bool(own) and all(value and value not in own for value in parents) and "text" in guessed
