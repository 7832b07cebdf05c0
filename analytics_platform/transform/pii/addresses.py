"""Finds postal addresses by their form: a number and a word for street, in either order, and post boxes.

Names of places are not found, because no form identifies them.
"""

from __future__ import annotations

import re

from analytics_platform.transform.pii.pii_rules import Found, PiiRule

_ENGLISH = (
    "street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|square|sq|terrace|way|parkway|pkwy|"
    "highway|hwy|crescent|close|grove|gardens|row|mews"
)
_WORD = r"[^\W\d_][^\W\d_'’.-]{0,30}"
_UNIT = r"(?:,? {0,2}(?:apt|apartment|suite|ste|unit|flat|room|floor|#)\.? {0,2}[0-9]{1,5}[A-Za-z]?)?"
_NUMBER_FIRST = re.compile(
    rf"(?<![\w.,/-])[0-9]{{1,6}}[A-Za-z]?,? (?:{_WORD} ){{1,4}}(?:{_ENGLISH})\b\.?{_UNIT}", re.IGNORECASE
)
_STREET_FIRST = re.compile(
    rf"(?<!\w)(?:{_WORD}(?:stra(?:ß|ss)e|str\.|weg|gasse|allee|platz|straat|laan|plein|gade|vej|gatan|gata|vägen|katu|tie|utca)"
    r"|(?:rua|avenida|calle|carrer|via|viale|piazza|corso|rue|avenue|boulevard|ulica|ul\.|rue de la|chemin|allée) "
    rf"(?:{_WORD} ){{0,3}}{_WORD}),? (?:n[ro°º.]{{0,2}} ?)?[0-9]{{1,5}}[A-Za-z]?(?!\w){_UNIT}",
    re.IGNORECASE,
)
_BOX = re.compile(r"\b(?:p\.? ?o\.? ?box|postfach|postbus|apartado) [0-9]{1,7}\b", re.IGNORECASE)


def _addresses(text: str) -> Found:
    for pattern, confidence in ((_NUMBER_FIRST, 0.8), (_STREET_FIRST, 0.8), (_BOX, 0.9)):
        for match in pattern.finditer(text):
            yield match.start(), match.end(), confidence


_HINT = (
    rf"(?i)[0-9][a-z]?,? .{{1,60}}\b(?:{_ENGLISH})\b|(?:stra(?:ß|ss)e|weg|gasse|allee|platz|straat|laan|plein"
    r"|gade|vej|gatan|gata|vägen|katu|tie|utca|rua|avenida|calle|carrer|via|viale|piazza|corso|rue|avenue|boulevard"
    r"|ulica|chemin|allée)\b.{0,70}[0-9]|(?:str|\bul)\..{0,70}[0-9]|box [0-9]|postfach|postbus|apartado"
)
RULES = (PiiRule("ADDRESS", _HINT, _addresses, has_digit=True),)
