"""Calls to an OpenAI-compatible endpoint: rate limits, budget, retries, prices, and the ledger of calls."""
