"""The words with which chat platforms, help desks and LLM formats say who speaks."""

from __future__ import annotations

from analytics_platform.model.raw_tables import ROLES

_WORDS = {
    "user": "user human customer client end-user enduser visitor contact requester guest consumer buyer caller "
    "prompter incoming",
    "assistant": "assistant ai bot gpt chatgpt model llm chatbot chat-bot virtual-assistant virtual-agent answer-bot "
    "bing bard function-call tool-call tool-calls",
    "agent": "agent admin operator support support-agent customer-support human-agent live-agent representative rep "
    "staff employee teammate team-member advisor moderator technician csr outgoing",
    "system": "system developer activity event notification",
    "tool": "tool function function-response tool-response tool-result tool-output observation ipython",
}


def default_role_words() -> dict[str, str]:
    """Return each known word in lower case and its role; parts of a word are joined in every way that platforms use."""
    found = {role: role for role in ROLES}
    for role, words in _WORDS.items():
        for word in words.split():
            found |= {word.replace("-", joint): role for joint in ("-", "_", " ", "")}
    return found
