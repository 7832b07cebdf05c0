"""Encrypts the personal data found in a message, decrypts it, and puts it back into the stored text.

The cipher is AES-SIV, because a day that is computed again must give the same bytes, and AES-SIV needs no random nonce.
The message's id is authenticated: sealed data opens for no other message, and equal values in two messages look
different.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.errors import UserError
from analytics_platform.transform.pii.spans import placeholder

SEALED = pa.binary()
MINIMUM_KEY_BYTES = 32
_KEY_BYTES = 64  # AES-256 twice, as AES-SIV wants it
_PURPOSE = b"analytics-platform pii spans"


class SealError(UserError, ValueError):
    """Personal data cannot be sealed or opened. The message says why and quotes none of the data."""


@dataclass(frozen=True)
class SealedValue:
    """One value of personal data and its place in a message.

    Attributes:
        piece: Index of the piece of code that contains it, from 0; None for the text.
        start: Start in the original text or piece of code, in code points.
        kind: Its kind, of ``model.word_sets.pii_kinds.KINDS``.
        value: The original characters.
    """

    piece: int | None
    start: int
    kind: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Findings:
    """All personal data found in one message.

    Attributes:
        redacted: Whether text and code were redacted; if not, both are unchanged.
        places: The values; within one text in order of place, not overlapping.
    """

    redacted: bool
    places: tuple[SealedValue, ...]

    def put_back(self, text: str, piece: int | None = None) -> str:
        """Return the original text of the message, or of a piece of its code.

        Args:
            text: The stored text or piece of code.
            piece: Index of the piece of code, from 0; None for the text.
        """
        if not self.redacted:
            return text
        parts: list[str] = []
        stored = original = 0  # positions in the stored and in the original text
        for found in self._by_piece.get(piece, ()):
            between = found.start - original
            parts += [text[stored : stored + between], found.value]
            stored += between + len(placeholder(found.kind))
            original = found.start + len(found.value)
        return "".join(parts) + text[stored:]

    @cached_property
    def _by_piece(self) -> dict[int | None, list[SealedValue]]:
        grouped: dict[int | None, list[SealedValue]] = {}
        for found in self.places:
            grouped.setdefault(found.piece, []).append(found)
        return grouped


class Sealer:
    """Seals and opens findings under one key. Not safe for use by several threads.

    Args:
        key: The secret, at least ``MINIMUM_KEY_BYTES`` bytes.

    Raises:
        SealError: If the key is shorter.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < MINIMUM_KEY_BYTES:
            raise SealError(f"ANALYTICS_PII_SPANS_KEY: must be at least {MINIMUM_KEY_BYTES} bytes")
        # Imported here, because the import takes time and most homes keep nothing.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        self._cipher = AESSIV(HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=_PURPOSE).derive(key))

    def seal(self, message_id: str, findings: Findings) -> bytes:
        """Encrypt the findings of a message. Only ``open`` with the same key and message id can read the result."""
        places = [[found.piece, found.start, found.kind, found.value] for found in findings.places]
        content = orjson.dumps({"redacted": findings.redacted, "places": places})
        return self._cipher.encrypt(content, [message_id.encode()])

    def open(self, message_id: str, sealed: bytes) -> Findings:
        """Decrypt the findings of a message.

        Raises:
            SealError: If they were sealed with another key or for another message, or were altered.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  (as above)

        try:
            content = orjson.loads(self._cipher.decrypt(sealed, [message_id.encode()]))
        except (InvalidTag, ValueError):  # ValueError if the data is too short
            raise SealError(
                f"message {message_id!r}: what was found in it was sealed with another ANALYTICS_PII_SPANS_KEY than "
                "the one set, or for another message"
            ) from None
        return Findings(content["redacted"], tuple(SealedValue(*place) for place in content["places"]))


def seal_column(
    key: bytes, message_ids: pa.ChunkedArray, found: Mapping[int, Sequence[SealedValue]], *, redacted: bool
) -> pa.Array:
    """Seal the findings of many messages.

    Args:
        key: See ``Sealer``.
        message_ids: The id of each message.
        found: Findings by row; rows without findings are absent.
        redacted: See ``Findings``.

    Returns:
        ``SEALED`` for each message; null for a message without findings.

    Raises:
        SealError: If the key is too short.
    """
    sealer, rows = Sealer(key), sorted(found)
    ids = message_ids.take(pa.array(rows, pa.int64())).to_pylist()
    sealed = [sealer.seal(name, Findings(redacted, tuple(found[row]))) for row, name in zip(rows, ids, strict=True)]
    mask = np.zeros(len(message_ids), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(pa.nulls(len(message_ids), SEALED), pa.array(mask), pa.array(sealed, SEALED))
