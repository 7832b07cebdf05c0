"""The LLM tier: any OpenAI-compatible endpoint labels conversations, and each answer is paid for once.

The caller passes a ``LlmStore`` for answers and ledger. The modules ``api.rate_limits``, ``api.endpoint``,
``realtime``, ``batch`` and ``llm_tier`` need the extra ``llm``.
"""
