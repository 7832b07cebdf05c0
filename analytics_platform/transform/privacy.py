"""What of the people behind the messages stays in the tables from ``clean`` on.

Belongs here: which kinds of personal data are taken out of texts, whether what was taken out is kept, and pseudonyms
for users. Does not belong here: finding personal data, and how it is sealed (``transform.pii``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.pii_kinds import STRUCTURED
from analytics_platform.transform import pii
from analytics_platform.transform.pii.sealing import SEALED, SealedValue, seal_column

_PSEUDONYM_BYTES = 16


class Protected(NamedTuple):
    """Messages as they may be kept, one entry per message.

    Attributes:
        texts: The texts.
        code: Their pieces of code.
        kinds: The kinds found in each text, one entry per place.
        spans: What was found in text and code, sealed; null where nothing was, and everywhere without a key.
    """

    texts: pa.Array
    code: pa.ListArray
    kinds: pa.ListArray
    spans: pa.Array


@dataclass(frozen=True)
class Privacy:
    """The policy.

    Attributes:
        kinds: Kinds of personal data, of ``model.pii_kinds.KINDS``, that are looked for; none at all when empty.
        redact: Whether what is found is taken out of the text; otherwise it is counted and stays.
        columns: Columns beside texts, of ``model.pii_kinds.REDACTABLE_COLUMNS``, from which it is taken out, too.
        key: Key of the pseudonyms; users keep their ids when None.
        spans_key: Key under which what is found is kept, beside the text; it is not kept when None.
    """

    kinds: frozenset[str] = STRUCTURED
    redact: bool = True
    columns: frozenset[str] = frozenset()
    key: bytes | None = field(default=None, repr=False)
    spans_key: bytes | None = field(default=None, repr=False)

    @property
    def version(self) -> str:
        """What tables depend on, without giving a key away: another key makes another version."""
        proof = _proof(self.key, b"analytics-platform pseudonyms") if self.key else "none"
        words = f"{sorted(self.kinds)} {self.redact} {proof} {self.spans_proof or 'none'}"
        if self.columns:
            words += f" {sorted(self.columns)}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def spans_proof(self) -> str | None:
        """What tells the key of the spans from another one without giving it away; None when none are kept."""
        return _proof(self.spans_key, b"analytics-platform kept spans") if self.spans_key else None

    def protect(self, message_ids: pa.ChunkedArray, texts: pa.Array, code: pa.ListArray) -> Protected:
        """Return messages as they may be kept; names and addresses are not looked for in code.

        Args:
            message_ids: The id of each message.
            texts: Their texts, without nulls.
            code: Their pieces of code; not a slice of a longer array.

        Raises:
            SealError: If the key of the spans is too short.
        """
        pieces = code.flatten()
        in_texts, in_code = pii.find_pii(texts, self.kinds), pii.find_pii(pieces, self.kinds & STRUCTURED)
        kept = pii.redact(pieces, in_code) if self.redact else pieces
        return Protected(
            texts=pii.redact(texts, in_texts) if self.redact else texts,
            code=pa.ListArray.from_arrays(code.offsets, kept, type=code.type),
            kinds=pii.kinds_found(in_texts, len(texts)),
            spans=self._sealed(message_ids, pii.values_found(texts, in_texts), pii.values_found(pieces, in_code), code),
        )

    def protect_column(self, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return a column beside the texts as it may be kept, null for null.

        Args:
            name: Name of the column; only those of ``columns`` change.
            values: Its strings.
        """
        if name not in self.columns or not self.redact:
            return values
        encoded = values.combine_chunks().dictionary_encode()  # few values, in many rows
        kept = pii.redact(encoded.dictionary, pii.find_pii(encoded.dictionary, self.kinds))
        return pa.chunked_array([pc.take(kept, encoded.indices)])

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

    def _sealed(
        self,
        message_ids: pa.ChunkedArray,
        in_texts: Iterable[tuple[int, int, str, str]],
        in_code: Iterable[tuple[int, int, str, str]],
        code: pa.ListArray,
    ) -> pa.Array:
        """Return ``Protected.spans``; nothing of what was found is looked at without a key."""
        if self.spans_key is None:
            return pa.nulls(len(message_ids), SEALED)
        found: dict[int, list[SealedValue]] = {}
        for row, start, kind, value in in_texts:
            found.setdefault(row, []).append(SealedValue(None, start, kind, value))
        rows, firsts = pc.list_parent_indices(code), code.offsets
        for place, start, kind, value in in_code:
            row = rows[place].as_py()
            found.setdefault(row, []).append(SealedValue(place - firsts[row].as_py(), start, kind, value))
        return seal_column(self.spans_key, message_ids, found, redacted=self.redact)


def _proof(key: bytes, purpose: bytes) -> str:
    return hmac.digest(key, purpose, "sha256").hex()[:16]


DEFAULT_PRIVACY = Privacy()
"""Structured kinds redacted, users as they are."""
