"""The LLM tier: conversations labelled by any OpenAI-compatible endpoint, paid for once.

Belongs here: prompts, the form of answers, limits, budget, retries, prices, and the ledger's rows. Does not belong
here: where answers and the ledger are kept (a ``LlmStore`` is handed in). The modules ``limits``, ``endpoint``,
``realtime``, ``batch`` and ``tier`` need the extra ``llm``; the others do not.
"""
