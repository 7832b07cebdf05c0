"""Estimate of a text's tokens without a request, for cutting, reserving and pricing in advance.

The ledger contains the tokens that the endpoint reports.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from analytics_platform.insights.llm.config import LlmError

BYTES_PER_TOKEN = 3.0
"""UTF-8 bytes per token that the estimate assumes; docs/llm.md has the measurements."""

Counter = Callable[[str], int]


def estimate_tokens(text: str) -> int:
    """Return the estimated number of tokens; it depends only on the text, so that every machine cuts alike."""
    return -int(-len(text.encode()) // BYTES_PER_TOKEN)


def token_counter(tokenizer: Path | None) -> tuple[Counter, str]:
    """Return a token counter and its description.

    Args:
        tokenizer: ``tokenizer.json`` of the model, as open models provide it; the estimate when None.

    Raises:
        LlmError: If the file is not a tokenizer.
    """
    if tokenizer is None:
        return estimate_tokens, f"estimated at {BYTES_PER_TOKEN} bytes of UTF-8 a token"
    try:
        loaded = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # noqa: BLE001  (the library raises Exception itself)
        raise LlmError(f"{tokenizer}: not a tokenizer.json: {' '.join(str(error).split())}") from None
    return (lambda text: len(loaded.encode(text).ids)), f"counted with {tokenizer.name}"
