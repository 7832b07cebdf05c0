"""The privacy policy: which personal data the tables from ``clean`` on contain.

It selects the kinds that are redacted, decides whether redacted values are kept encrypted, and computes pseudonyms of
users. ``transform.pii`` finds and seals personal data.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.model.word_sets.pii_kinds import STRUCTURED
from analytics_platform.transform import pii
from analytics_platform.transform.pii.sealing import SEALED, SealedValue, seal_column

_PSEUDONYM_BYTES = 16


class Protected(NamedTuple):
    """Messages after the privacy policy, one entry per message.

    Attributes:
        texts: The texts.
        code: Their pieces of code.
        kinds: The kinds found in each text, one entry per place.
        spans: Personal data found in text and code, encrypted; null without findings, and in every row without a key.
    """

    texts: pa.Array
    code: pa.ListArray
    kinds: pa.ListArray
    spans: pa.Array


@dataclass(frozen=True)
class Privacy:
    """The privacy policy.

    Attributes:
        kinds: Kinds of personal data to look for, of ``model.word_sets.pii_kinds.KINDS``; empty for none.
        redact: Whether personal data is taken out of the texts; otherwise it is counted and stays.
        columns: Columns beside texts, of ``model.word_sets.pii_kinds.REDACTABLE_COLUMNS``, that are redacted, too.
        key: Key of the pseudonyms; users keep their ids when None.
        spans_key: Key under which personal data is kept encrypted beside the text; it is not kept when None.
    """

    kinds: frozenset[str] = STRUCTURED
    redact: bool = True
    columns: frozenset[str] = frozenset()
    key: bytes | None = field(default=None, repr=False)
    spans_key: bytes | None = field(default=None, repr=False)

    @property
    def version(self) -> str:
        """Version string of the policy, without revealing a key: another key gives another version."""
        proof = _proof(self.key, b"analytics-platform pseudonyms") if self.key else "none"
        words = f"{sorted(self.kinds)} {self.redact} {proof} {self.spans_proof or 'none'}"
        if self.columns:
            words += f" {sorted(self.columns)}"
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def spans_proof(self) -> str | None:
        """Hash that identifies the spans key without revealing it; None without a key."""
        return _proof(self.spans_key, b"analytics-platform kept spans") if self.spans_key else None

    def protect(self, message_ids: pa.ChunkedArray, texts: pa.Array, code: pa.ListArray) -> Protected:
        """Apply the policy to messages. Names and postal addresses are not looked for in code.

        Args:
            message_ids: The id of each message.
            texts: The texts, without nulls.
            code: Their pieces of code; not a slice of a longer array.

        Raises:
            SealError: If the spans key is too short.
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

    def protect_text(self, texts: pa.Array) -> pa.Array:
        """Apply the policy to texts of which most are null; their personal data is neither counted nor kept."""
        given = pc.is_valid(texts)
        present = texts.filter(given)
        if not self.redact or not len(present):
            return texts
        return pc.replace_with_mask(texts, given, pii.redact(present, pii.find_pii(present, self.kinds)))

    def protect_column(self, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Apply the policy to a column beside the texts; null stays null.

        Args:
            name: Name of the column; a column that is not in ``columns`` is unchanged.
            values: Its strings.
        """
        if name not in self.columns or not self.redact:
            return values
        encoded = values.combine_chunks().dictionary_encode()  # few values, in many rows
        kept = pii.redact(encoded.dictionary, pii.find_pii(encoded.dictionary, self.kinds))
        return pa.chunked_array([pc.take(kept, encoded.indices)])

    def pseudonyms(self, ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the pseudonym of each user id, null for null; without a key, the ids themselves."""
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
        """Return ``Protected.spans``; without a key, the findings are not read."""
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
"""The default policy: structured kinds are redacted, and user ids are unchanged."""
