"""Chats of messengers: Telegram Desktop, Discord by DiscordChatExporter, Teams, Messenger, Google Chat and Skype."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics_platform.sources.formats.file_records import Record
from analytics_platform.sources.shapes.identity import Turn, identify, identify_conversation
from analytics_platform.sources.shapes.shape import Context, Shape, first_of

_HINT = "The chat is one conversation; its first sender is the customer, every other person an agent."


def _messages(record: Record) -> list[Record]:
    found = record.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def _chats(record: Record) -> list[Record]:
    """Return the chats of an export of one chat, or of all."""
    chats = record.get("chats")
    listed = chats.get("list") if isinstance(chats, Mapping) else None
    return [chat for chat in listed if isinstance(chat, dict)] if isinstance(listed, list) else [record]


def _is_telegram(record: Record) -> bool:
    messages = [message for chat in _chats(record) for message in _messages(chat)[:1]]
    return bool(messages) and {"date", "type", "text"} <= messages[0].keys() and "id" in messages[0]


def _telegram(record: Record, context: Context) -> Iterator[Record]:
    for chat in _chats(record):
        conversation = str(first_of(chat, "id", "name") or context.file.label)
        customer = None
        for message in _messages(chat):
            service = message.get("type") == "service"
            author = message.get("from_id") or message.get("from") or message.get("actor_id")
            customer = customer if customer is not None or service else author
            other = "assistant" if chat.get("type") == "bot_chat" else "agent"
            role = "system" if service else "user" if author == customer else other
            yield {
                "conversation_id": conversation,
                "message_id": f"{conversation}:{message.get('id')}",
                "role": role,
                "text": _telegram_text(message),
                # Without a zone, date is the exporting computer's time.
                "timestamp": message.get("date_unixtime") or message.get("date"),
                "user_id": author if role == "user" else None,
                "agent_id": author if role == other else None,
                "channel": "telegram",
            }


def _telegram_text(message: Record) -> str | None:
    """Return the text of a message, whose formatted pieces are objects, with a marker for its media."""
    text = message.get("text")
    if isinstance(text, list):
        text = "".join(piece if isinstance(piece, str) else str(piece.get("text") or "") for piece in text)
    media = "photo" if message.get("photo") else message.get("media_type") or ("file" if message.get("file") else None)
    action = message.get("action") if message.get("type") == "service" else None
    parts = [part for part in (text, f"[{media}]" if media else None, f"[{action}]" if action else None) if part]
    return "\n".join(parts) or None


def _is_discord(record: Record) -> bool:
    messages = _messages(record)
    return "channel" in record and bool(messages) and {"author", "content", "timestamp"} <= messages[0].keys()


def _discord(record: Record, context: Context) -> Iterator[Record]:
    channel: Any = record["channel"]
    name = first_of(channel, "name", "id") if isinstance(channel, Mapping) else channel
    conversation = str((channel.get("id") if isinstance(channel, Mapping) else channel) or context.file.label)
    customer = None
    for message in _messages(record):
        author = message.get("author") or {}
        bot = bool(author.get("isBot"))
        customer = customer if customer is not None or bot else author.get("id")
        role = "assistant" if bot else "user" if author.get("id") == customer else "agent"
        if message.get("type") not in {None, "Default", "Reply"}:
            role = "system"
            if not message.get("content"):
                continue  # somebody joined, or pinned a message
        files = [f"[file: {file.get('fileName') or 'unnamed'}]" for file in message.get("attachments") or []]
        yield {
            "conversation_id": conversation,
            "message_id": f"{conversation}:{message.get('id')}",
            "role": role,
            "text": "\n".join([part for part in (message.get("content"), *files) if part]) or None,
            "timestamp": message.get("timestamp"),
            "user_id": author.get("id") if role == "user" else None,
            "agent_id": author.get("id") if role in {"agent", "assistant"} else None,
            "channel": name,
        }


_DISCORD_COLUMNS = frozenset({"AuthorID", "Author", "Date", "Content", "Attachments", "Reactions"})


def _discord_row(record: Record, context: Context) -> Iterator[Record]:
    """Yield a row of a channel as a table: the file is the conversation, its first author the customer."""
    customer = context.memory.setdefault("customer", record["AuthorID"])
    role = "user" if record["AuthorID"] == customer else "agent"
    files = [f"[file: {url.rpartition('/')[2]}]" for url in str(record.get("Attachments") or "").split(",") if url]
    (place,) = identify(context, context.file.label, [Turn(record["AuthorID"], record["Content"], record["Date"])])
    yield {
        "conversation_id": context.file.label,
        "message_id": place.message_id,
        "role": role,
        "text": "\n".join([part for part in (record["Content"], *files) if part]) or None,
        "timestamp": record["Date"],
        "user_id": record["AuthorID"] if role == "user" else None,
        "agent_id": record["AuthorID"] if role == "agent" else None,
        "channel": "discord",
    }


def _is_teams(record: Record) -> bool:
    body = record.get("body")
    return {"messageType", "from", "createdDateTime", "id"} <= record.keys() and isinstance(body, Mapping)


def _teams(record: Record, context: Context) -> Iterator[Record]:
    """Yield a message of Microsoft Graph. A message with its replies is a conversation, its first author the customer.

    A chat, which has no replies, is one conversation.
    """
    sender, body = record.get("from"), record["body"]
    if record["messageType"] != "message" or not isinstance(sender, Mapping):
        return  # somebody joined, or the chat was renamed
    person = sender.get("user") or {}
    author = first_of(person, "id", "displayName")
    thread = str(record.get("chatId") or record.get("replyToId") or record["id"])
    openers: dict[str, Any] = context.memory.setdefault("openers", _openers(context))
    is_bot = not person and bool(sender.get("application"))
    role = "assistant" if is_bot else "user" if openers.setdefault(thread, author) == author else "agent"
    files = [
        f"[file: {file.get('name') or 'unnamed'}]" for file in record.get("attachments") or [] if isinstance(file, dict)
    ]
    yield {
        "conversation_id": thread,
        "message_id": f"{thread}:{record['id']}",
        "role": role,
        "text": "\n".join([part for part in (body.get("content"), *files) if part]) or None,
        "timestamp": record["createdDateTime"],
        "user_id": author if role == "user" else None,
        "agent_id": author if role == "agent" else None,
        "channel": "teams",
    }


def _openers(context: Context) -> dict[str, Any]:
    """Return the author of the oldest message of each chat; Graph lists the newest first."""
    oldest: dict[str, tuple[str, Any]] = {}
    for record in context.neighbours:
        sender = record.get("from")
        person = sender.get("user") if isinstance(sender, Mapping) else None
        if record.get("messageType") == "message" and isinstance(person, Mapping):
            thread = str(record.get("chatId") or record.get("replyToId") or record.get("id"))
            found = (str(record.get("createdDateTime")), first_of(person, "id", "displayName"))
            is_reply = not record.get("chatId") and bool(record.get("replyToId"))
            if not is_reply and (thread not in oldest or found < oldest[thread]):
                oldest[thread] = found
    return {thread: author for thread, (_, author) in oldest.items()}


DISCORD_ROWS = Shape(
    "discord_rows", "Discord channel as a table", lambda record: record.keys() >= _DISCORD_COLUMNS, _discord_row, _HINT
)
TEAMS = Shape(
    "teams",
    "messages of Microsoft Teams",
    _is_teams,
    _teams,
    "A message with its replies, or a chat, is a conversation; its first author is the customer.",
)
TELEGRAM = Shape("telegram", "Telegram export", _is_telegram, _telegram, _HINT)
DISCORD = Shape("discord", "Discord chat by DiscordChatExporter", _is_discord, _discord, _HINT)


def _unbroken(text: Any) -> Any:
    """Return a text of Messenger or Instagram, which write each byte of UTF-8 as a character of its own."""
    try:
        return text.encode("latin-1").decode("utf-8") if isinstance(text, str) else text
    except UnicodeError:
        return text


def _messenger(record: Record, context: Context) -> Iterator[Record]:
    path = str(
        record.get("thread_path") or record.get("title") or identify_conversation(context, record.get("participants"))
    )
    oldest_first = sorted(_messages(record), key=lambda message: message["timestamp_ms"])
    customer = next((message.get("sender_name") for message in oldest_first if message.get("sender_name")), None)
    turns = [
        Turn(message.get("sender_name"), message.get("content"), message["timestamp_ms"]) for message in oldest_first
    ]
    for message, place in zip(oldest_first, identify(context, path, turns), strict=True):
        files = [f"[{kind}]" for kind in ("photos", "videos", "audio_files", "files", "gifs") if message.get(kind)]
        text = _unbroken(message.get("content"))
        sender = message.get("sender_name")
        role = "user" if sender == customer else "agent"
        yield {
            "conversation_id": _unbroken(path),
            "message_id": place.message_id,
            "role": role,
            "text": "\n".join([*([text] if text else []), *files]) or None,
            "timestamp": message["timestamp_ms"],
            "sequence": place.position,
            "user_id": _unbroken(sender) if role == "user" else None,
            "agent_id": _unbroken(sender) if role == "agent" else None,
            "channel": "messenger",
        }


MESSENGER = Shape(
    "messenger",
    "Facebook Messenger export",
    lambda record: bool(_messages(record)) and {"sender_name", "timestamp_ms"} <= _messages(record)[0].keys(),
    _messenger,
    _HINT,
)


def _is_google_chat(record: Record) -> bool:
    messages = _messages(record)
    return bool(messages) and isinstance(messages[0].get("creator"), Mapping) and "created_date" in messages[0]


def _google_chat(record: Record, context: Context) -> Iterator[Record]:
    """Yield the messages of a direct chat, or those of a space, of which each topic is a conversation."""
    has_topics = context.file.folder_name.startswith("Space")
    customers: dict[str, Any] = {}
    for message in _messages(record):
        creator = message.get("creator") or {}
        author, is_bot = first_of(creator, "email", "name"), creator.get("user_type") == "Bot"
        group, _, topic = str(message.get("message_id") or "").partition("/")
        conversation = (f"{group}/{topic.partition('/')[0]}" if has_topics else group) or context.file.folder_name
        files = [f"[file: {file.get('original_name') or 'unnamed'}]" for file in message.get("attached_files") or []]
        text = "\n".join([part for part in (message.get("text"), *files) if part])
        if not text:
            continue  # it was deleted
        if not is_bot:
            customers.setdefault(conversation, author)
        role = "assistant" if is_bot else "user" if author == customers[conversation] else "agent"
        yield {
            "conversation_id": conversation,
            "message_id": message.get("message_id"),
            "role": role,
            "text": text,
            "timestamp": message.get("created_date"),
            "user_id": author if role == "user" else None,
            "agent_id": None if role == "user" else author,
            "channel": "google_chat",
        }


GOOGLE_CHAT = Shape(
    "google_chat",
    "Google Chat by Takeout",
    _is_google_chat,
    _google_chat,
    "A direct chat, or a topic of a space, is a conversation; its first sender is the customer.",
)


def _skype_chats(record: Record) -> list[Record]:
    chats = record.get("conversations", [record])
    listed = chats if isinstance(chats, list) else []
    return [chat for chat in listed if isinstance(chat, dict) and isinstance(chat.get("MessageList"), list)]


def _skype(record: Record, context: Context) -> Iterator[Record]:
    for chat in _skype_chats(record):
        customer = None
        for message in sorted(chat["MessageList"], key=lambda one: str(one.get("originalarrivaltime"))):
            author, is_text = message.get("from"), "Text" in str(message.get("messagetype"))
            customer = customer or (author if is_text else None)
            role = "system" if not is_text else "user" if author == customer else "agent"
            conversation = str(first_of(chat, "id") or first_of(message, "conversationid") or context.file.label)
            yield {
                "conversation_id": conversation,
                "message_id": f"{conversation}:{message.get('id')}",
                "role": role,
                "text": message.get("content") if is_text else f"[{message.get('messagetype')}]",
                "timestamp": message.get("originalarrivaltime"),
                "user_id": author if role == "user" else None,
                "agent_id": author if role == "agent" else None,
                "channel": "skype",
            }


SKYPE = Shape("skype", "Skype chats", lambda record: bool(_skype_chats(record)), _skype, _HINT)
