"""What of the people behind the messages stays in the tables from ``clean`` on.

Belongs here: which kinds of personal data are taken out of texts, and pseudonyms for users. Does not belong here:
finding personal data (``transform.pii``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.pii import STRUCTURED
from analytics_platform.transform import pii

_PSEUDONYM_BYTES = 16


@dataclass(frozen=True)
class Privacy:
    """The policy.

    Attributes:
        kinds: Kinds of personal data, of ``model.pii.KINDS``, that are looked for; none at all when empty.
        redact: Whether what is found is taken out of the text; otherwise it is counted and stays.
        key: Key of the pseudonyms; users keep their ids when None.
    """

    kinds: frozenset[str] = STRUCTURED
    redact: bool = True
    key: bytes | None = field(default=None, repr=False)

    @property
    def version(self) -> str:
        """What tables depend on, without giving the key away: another key makes another version."""
        proof = hmac.digest(self.key, b"analytics-platform pseudonyms", "sha256").hex()[:16] if self.key else "none"
        words = f"{sorted(self.kinds)} {self.redact} {proof}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    def protect(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return the texts as they may be kept, and for each the list of kinds found, one entry per place."""
        return self._protect(texts, self.kinds)

    def protect_code(self, code: pa.ListArray) -> pa.ListArray:
        """Return pieces of code as they may be kept; names and addresses are not looked for in code."""
        values, _ = self._protect(code.flatten(), self.kinds & STRUCTURED)
        return pa.ListArray.from_arrays(code.offsets, values, type=code.type)

    def pseudonyms(self, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return who is behind each id under the key: always the same for the same id, null for null."""
        if self.key is None:
            return ids
        encoded = ids.combine_chunks().dictionary_encode()
        hashed = [self._pseudonym(self.key, name) for name in encoded.dictionary.to_pylist()]
        return pa.chunked_array([pc.take(pa.array(hashed, pa.string()), encoded.indices)])

    @staticmethod
    def _pseudonym(key: bytes, name: str) -> str:
        return hmac.digest(key, name.encode(), "sha256")[:_PSEUDONYM_BYTES].hex()

    def _protect(self, texts: pa.Array, kinds: Collection[str]) -> tuple[pa.Array, pa.Array]:
        spans = pii.find_pii(texts, kinds)
        return (pii.redact(texts, spans) if self.redact else texts), pii.kinds_found(spans, len(texts))


DEFAULT_PRIVACY = Privacy()
"""Structured kinds redacted, users as they are."""
