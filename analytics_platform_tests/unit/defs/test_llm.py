"""What the LLM tier says of conversations that it left without labels."""

from __future__ import annotations

import datetime as dt

from pydantic import SecretStr

from analytics_platform.defs.resources.llm_access import LlmAccess
from analytics_platform.defs.resources.llm_resource import Llm
from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.model.tables.llm_tables import LLM_FAILURES
from analytics_platform_tests.memory_llm_store import MemoryLlmStore

DAYS = ["2024-01-01", "2024-01-02"]


def llm(**reasons: int) -> Llm:
    """A tier whose first day has so many failures of each reason."""
    store, day = MemoryLlmStore(), dt.date.fromisoformat(DAYS[0])
    facts = {
        "date": day,
        "will_retry": False,
        "detail": "",
        "tries": 1,
        "failed_at": dt.datetime(2024, 1, 3, tzinfo=dt.UTC),
    }
    names = [(reason, f"{reason}{number}") for reason, count in reasons.items() for number in range(count)]
    store.replace_failures(
        LLM_FAILURES.name, day, [facts | {"reason": reason, "conversation_id": name} for reason, name in names]
    )
    access = LlmAccess(LlmConfig(model="m"), api_key=lambda: SecretStr(""), open_store=lambda: store)
    return Llm(access, None)


def test_conversations_without_an_answer_are_counted_by_reason_the_most_first():
    (told,) = llm(refused=1, budget=1200, cut_off=2).failures.summary(DAYS)
    assert told == (
        "llm_insights: 1,203 conversations have no answer: 1,200 budget spent, 2 cut off, 1 refused; "
        "see the table llm_failures"
    )


def test_nothing_is_said_where_all_have_an_answer():
    assert llm().failures.summary(DAYS) == llm(budget=1).failures.summary(DAYS[1:]) == []
