"""The one form in which names of columns are compared: without case, accents, and signs between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_BETWEEN_WORDS = re.compile(r"[\W_]+")


@lru_cache(maxsize=8192)
def column_form(name: str) -> str:
    """Return a column's name as it is compared: ``Créé le`` and ``cree-le`` are ``cree_le``."""
    parts = unicodedata.normalize("NFKD", name.strip().casefold())
    plain = "".join(part for part in parts if not unicodedata.combining(part)).replace("ł", "l").replace("ø", "o")
    return _BETWEEN_WORDS.sub("_", unicodedata.normalize("NFC", plain)).strip("_")


_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=8192)
def word_form(name: str) -> str:
    """Return the form of a column's name whose words begin with capitals: ``createdAt`` is ``created_at``."""
    return column_form(_HUMPS.sub("_", name))


def by_form(names: Iterable[str]) -> dict[str, str]:
    """Return the first name of each form, by form."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(column_form(name), name)
    return found
