"""Keys under which records name their conversation, in the order in which they are tried."""

from __future__ import annotations

CONVERSATION_KEYS = (
    "conversation_id", "conversationId", "conversation_hash", "ticket_id", "ticketId", "thread_id", "threadId",
    "session_id", "sessionId", "chat_id", "chatId",
)  # fmt: skip
"""Keys that name nothing but a conversation."""
CONTACT_KEYS = ("call_id", "case_id", "ContactId", "contact_id", "sender_id")
"""Keys of call centres and bots, which also name a person or a call."""
RECORD_KEYS = ("id", "uuid", "_id", "number", "key")
"""Keys of a record itself: of its conversation, where a record is one."""
