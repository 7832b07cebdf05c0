"""Finds keys and tokens whose form their issuer fixes.

The table ``secret_forms.tsv`` has one row per form: its issuer, a cheap hint, the full form, and the source of the
form. ``credentials`` finds secrets that only the words around them identify.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from analytics_platform.transform.pii.pii_rules import Found, PiiRule

FORMS_FILE = Path(__file__).parent / "secret_forms.tsv"


def read_forms() -> list[dict[str, str]]:
    """Return the rows of the table: ``issuer``, ``hint`` (RE2 syntax), ``form`` (syntax of ``re``), ``source``."""
    with FORMS_FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


_ROWS = read_forms()
_HINT = "|".join(dict.fromkeys(row["hint"] for row in _ROWS))
_FORMS = tuple(re.compile(rf"(?:{row['form']})(?![A-Za-z0-9])") for row in _ROWS)
_BESIDE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def _tokens(text: str) -> Found:
    for form in _FORMS:
        for match in form.finditer(text):
            # A look-behind in the form would keep ``re`` from searching for the form's first letters, which is fast.
            if not match.start() or text[match.start() - 1] not in _BESIDE:
                yield match.start(), match.end(), 0.99


RULES = (PiiRule("SECRET", _HINT, _tokens),)
