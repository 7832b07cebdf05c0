"""Keys of the conversation, the time and the customer of records, in the order in which they are tried."""

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
TIME_KEYS = (
    "timestamp", "created_at", "create_time", "created", "tstamp", "date", "time", "start_time", "createdAt",
    "createTime", "startTime", "started_at", "startedAt", "sent_at", "sentAt", "ts", "datetime",
)  # fmt: skip
"""Keys of the time of a conversation or of a message."""
USER_KEYS = ("user_id", "userId", "customer_id", "customerId", "user_identifier", "request_user_id", "end_user")
"""Keys of the customer of a conversation."""
REQUEST_USER_KEYS = (*USER_KEYS, "user")
"""Keys of the customer of a request to a language model; OpenAI's is ``user``."""
COST_KEYS = ("cost", "totalCost", "total_cost", "calculatedTotalCost", "cost_usd", "ai_total_cost_usd", "response_cost")
"""Keys of what an answer cost, in US dollars."""
