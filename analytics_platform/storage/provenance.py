"""Provenance: the named inputs of a stored partition, each a short text or a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import orjson

LONGEST_PART = 64
"""Most characters of a part; a longer part is replaced by its hash."""

STORED_FIELD = "fingerprint"
"""Name of a partition's provenance in Parquet footers, MongoDB's ledger, the warehouse and the records of pages.

The name is older than the word provenance. Another name would make every stored partition stale.
"""

CODE = "code"
SCHEMA = "schema"
FILE = "file"
"""A part of stored provenance only: hash of a file that a person or another program changed after it was written."""
INPUT = "input "
"""Prefix of the parts that name an input table."""

_WORDS = {CODE: "code", SCHEMA: "declaration of the table", "source": "rows at the source", FILE: "file"}
_IMPLIED_BY = {"engine": ("taxonomy", "engine's tier", "training")}
"""Parts that always change with more specific parts; the message then names only the specific parts."""


@dataclass(frozen=True)
class Provenance:
    """Everything that the content of a partition depends on.

    Attributes:
        parts: Value of each part by its name. The parts are the code, the declared schema, each input table, and
            further dependencies of the table, such as the taxonomy. Equal parts mean equal content.
    """

    parts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, parts: Mapping[str, str]) -> Provenance:
        """Return the provenance with long parts replaced by their hash."""
        return cls({name: value if len(value) <= LONGEST_PART else short_hash(value) for name, value in parts.items()})

    @classmethod
    def parse(cls, text: str) -> Provenance:
        """Parse the result of ``text``; any other text becomes one part without a name.

        >>> Provenance.parse('{"code":"a"}').parts["code"]
        'a'
        """
        try:
            parts = orjson.loads(text)
        except ValueError:
            parts = None
        return cls(parts if isinstance(parts, dict) else {"": text})

    def text(self) -> str:
        """Return the stored form: JSON with sorted names."""
        return orjson.dumps(dict(self.parts), option=orjson.OPT_SORT_KEYS).decode()

    def changes_since(self, stored: Provenance) -> tuple[str, ...]:
        """Return the differences from a stored partition's provenance as phrases; none when they are equal.

        >>> Provenance({"code": "b"}).changes_since(Provenance({"code": "a"}))
        ('changed code',)
        """
        names = [*self.parts, *(name for name in stored.parts if name not in self.parts)]
        changed = [name for name in names if self.parts.get(name) != stored.parts.get(name)]
        return tuple(_words(changed))


def _words(changed: list[str]) -> Iterator[str]:
    for name in changed:
        if any(other in changed for other in _IMPLIED_BY.get(name, ())):
            continue
        if not name:
            yield "stored by an older version of the platform"
        else:
            yield f"changed {_WORDS.get(name, name)}"


def short_hash(text: str) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
