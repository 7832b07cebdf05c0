"""Finds payment cards, IBANs, social security and other national numbers, passports and driving licences.

``python-stdnum`` validates the checksum of most candidates. Passports and licences have none, so a word such as
"passport" must stand before them.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence

from stdnum import iban, luhn
from stdnum.au import tfn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.de import idnr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import itin, ssn

from analytics_platform.transform.pii.pii_rules import Found, PiiRule, before, begins, digits, ends

_DIGIT_RUN = re.compile(
    begins(r"(?<![\w+-])(?<![0-9]\.)")
    + r"(?:[0-9]{4}(?:\.[0-9]{4}){3}|[0-9]+(?:[ -][0-9]+)*)"
    + ends(r"(?![\w-]|\.[0-9])")
)
_DIGIT_GROUP = re.compile(r"[0-9]+")
_CARD_DIGITS = range(12, 20)
_CARD_GROUPS = {(4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (4, 4, 5)}
"""Sizes of the digit groups in which cards are printed. A card may also be written without gaps."""
_MOST_GROUPS = max(map(len, _CARD_GROUPS))
_CARD_WORD = re.compile(
    r"\b(?:cards?|visa|master\s?card|maestro|amex|debit|credit|cc|charge|pay|paying|payment|billing|checkout)\b"
)
# Maestro and national issuers are too many to list: lengths other than 16 need a word such as card before them.
_ISSUERS = (
    # leading digits, from and to; lengths
    ((4, 4), {13, 16, 19}),
    ((51, 55), {16}),
    ((2221, 2720), {16}),
    ((34, 34), {15}),
    ((37, 37), {15}),
    ((300, 305), {14, 16, 17, 18, 19}),
    ((309, 309), {14, 16}),
    ((36, 36), {14, 16, 17, 18, 19}),
    ((38, 39), {14, 16, 17, 18, 19}),
    ((6011, 6011), {16, 17, 18, 19}),
    ((622, 622), {16, 17, 18, 19}),
    ((644, 659), {16, 17, 18, 19}),
    ((3528, 3589), {16, 17, 18, 19}),
    ((1800, 1800), {15}),
    ((2131, 2131), {15}),
    ((62, 62), {16, 17, 18, 19}),
    ((81, 81), {16, 17, 18, 19}),
    ((2200, 2204), {16, 17, 18, 19}),
)

_LETTER_VALUES = {ord(letter): str(int(letter, 36)) for letter in string.ascii_uppercase}
_IBAN_END = re.compile(ends(r"(?![^\W_])"))
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11,30}")

_SSN = re.compile(
    begins(r"(?<![\w-])") + r"(?P<area>[0-9]{3})(?P<mark>[- ]?)[0-9]{2}(?P=mark)[0-9]{4}" + ends(r"(?![\w-])")
)
_SSN_WORD = re.compile(r"\b(?:ssn|social\s+security|social\s+sec|itin|taxpayer|social)\b")

_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")


def _is_nino(number: str) -> bool:
    return bool(_NINO.fullmatch(number.replace(" ", "").upper()))


_NATIONAL: tuple[tuple[str, Callable[[str], bool], str], ...] = (
    # form; validator; words, one of which must stand before it; "" if the form alone is enough
    (r"[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d]", _is_nino, ""),
    (r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", cpf.is_valid, ""),
    (r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", ahv.is_valid, ""),
    (r"[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}[A-Za-z][0-9]{3}[A-Za-z]", codicefiscale.is_valid, ""),
    (r"[0-9]{8}-?[A-Za-z]", dni.is_valid, ""),
    (r"[XYZxyz]-?[0-9]{7}-?[A-Za-z]", nie.is_valid, ""),
    (r"[0-9]{6}[-+A][0-9]{3}[0-9A-Y]", hetu.is_valid, ""),
    (r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", nir.is_valid, ""),
    (r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", personnummer.is_valid, ""),
    (r"[A-Z]{5}[0-9]{4}[A-Z]", pan.is_valid, "pan"),
    (r"[0-9]{3} ?[0-9]{3} ?[0-9]{4}", nhs.is_valid, "nhs|health"),
    (r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", sin.is_valid, "sin|social insurance"),
    (r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", tfn.is_valid, "tfn|tax file"),
    (r"[0-9]{4} ?[0-9]{4} ?[0-9]{4}", aadhaar.is_valid, "aadhaar|aadhar|uid"),
    (r"[0-9]{11}", cpf.is_valid, "cpf"),
    (r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", idnr.is_valid, "steuer|tax|idnr|tin"),
    (r"[0-9]{9}", bsn.is_valid, "bsn|burgerservicenummer|sofinummer"),
    (r"[0-9]{11}", pesel.is_valid, "pesel"),
)
_NATIONAL_RULES: tuple[tuple[re.Pattern[str], Callable[[str], bool], re.Pattern[str] | None], ...] = tuple(
    (
        re.compile(begins(r"(?<![\w.+-])") + form + ends(r"(?![\w-])")),
        is_valid,
        re.compile(rf"\b(?:{words})") if words else None,
    )
    for form, is_valid, words in _NATIONAL
)
_NATIONAL_HINT = "|".join(dict.fromkeys(form for form, _, _ in _NATIONAL))
"""Matches the texts that have the form of any national number; one in a thousand texts with digits has one."""
_LICENCE = re.compile(r"(?<![\w-])(?=[A-Za-z0-9-]{0,19}[0-9]{4})[A-Za-z0-9]{1,4}(?:-?[A-Za-z0-9]){4,18}(?![\w-])")
_LICENCE_WORD = re.compile(
    r"(?:driv\w{2,4}['’]?s?\s+licen[cs]e|licen[cs]e\s+(?:number|no)|passport)(?:\s+(?:number|no|is|id|card))*\W{0,3}$"
)
_PASSPORT_WORDS = (
    r"passport|pass(?:e?port)?-?(?:nummer|nr)|reisepa(?:ss|ß)|personalausweis|ausweis-?(?:nummer|nr)|mein pass\b"
    r"|passeport|carte d['’]identit[ée]|pasaporte|passaport[oe]|carta d['’]identit[àa]|bilhete de identidade"
    r"|paspoort|identiteitskaart|paszport|dow[óo]d|mitt pass\b|pasaport|паспорт|загранпаспорт"
    r"|パスポート|旅券|护照|護照|여권|identity card|id card"
)
_PASSPORT = re.compile(
    begins(r"(?<![\w-])")
    + r"(?:(?=[A-Za-z]{0,9}[0-9][A-Za-z]{0,9}[0-9])[A-Za-z0-9]{7,10}|[A-Za-z]{1,3} [0-9]{6,8}"
    + r"|[0-9]{2} ?[0-9]{2} ?(?:№ ?)?[0-9]{6})"
    + ends(r"(?![\w-])")
)
"""A German passport number such as C01X00T47 may have only two digits, so a word before it must identify it."""
_LINK_TO_VALUE = (
    r"(?:number|no|nr|num|nummer|num[ée]ro|"
    r"n[úu]mero|numer|numar[a\u0131]\w{0,3}|nº|n°|№|номер\w?|is|was|ist|lautet|war|est|es|"
    r"[èé]|to|jest|[äa]r|er|on|это|id|card|le|la|el|hat|die|has|the|my|de|del|du|di|da|do|van|osobisty|番号|号码|號碼|号|번호|は|是|为|為|는|은)"
)
_PASSPORT_BEFORE = re.compile(rf"(?:{_PASSPORT_WORDS})\w{{0,3}}(?:\W{{0,2}}{_LINK_TO_VALUE}){{0,4}}\W{{0,3}}$")


def _cards(text: str) -> Found:
    for run in _DIGIT_RUN.finditer(text):
        groups = [group.span() for group in _DIGIT_GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            end = _card_end(text, groups, first)
            if end:
                yield groups[first][0], groups[end - 1][1], 0.99
            first = end or first + 1


def _card_end(text: str, groups: Sequence[tuple[int, int]], first: int) -> int | None:
    """Return the index after the last group of the card that begins with group ``first``; None if there is no card.

    All groups of the run together may be a card, however they are grouped. A part of the run must be grouped as cards
    are, because other numbers, such as the expiry date, may stand beside it.
    """
    begin = groups[first][0]
    alone = first == 0 and len(groups) < _CARD_DIGITS.stop
    sizes: list[int] = []
    found = None
    for start, end in groups[first:] if alone else groups[first : first + _MOST_GROUPS]:
        sizes.append(end - start)
        grouped = tuple(sizes) in _CARD_GROUPS or (len(sizes) == 1 and sizes[0] > _CARD_DIGITS.start)
        whole = alone and len(sizes) == len(groups)
        if (whole or grouped) and sum(sizes) in _CARD_DIGITS:
            number = digits(text[begin:end])
            if luhn.is_valid(number) and len(set(number)) > 1 and _is_card(number, text, begin):
                found = first + len(sizes)
    return found


def _is_card(number: str, text: str, start: int) -> bool:
    if any(low <= int(number[: len(str(low))]) <= high and len(number) in sizes for (low, high), sizes in _ISSUERS):
        return True
    if len(number) == 16 and number[0] in "3456":  # Maestro, and issuers missing in the table
        return True
    return bool(_CARD_WORD.search(before(text, start)))


def _ibans(text: str) -> Found:
    match = _IBAN.search(text)
    while match:
        end = _iban_end(text, match)
        if end:
            yield match.start(), end, 0.99
        # The candidate may have swallowed the next number.
        match = _IBAN.search(text, end or match.start() + 1)


def _iban_end(text: str, match: re.Match[str]) -> int | None:
    """Return where the IBAN ends, or None. A candidate may include following words, which are cut by group."""
    candidate = match[0]
    while len(candidate) >= 15:
        end = match.start() + len(candidate)
        if _IBAN_END.match(text, end) and _is_iban(candidate, text, match.start()):
            return end
        cut = max(candidate.rfind(" "), candidate.rfind("-"))
        if cut < 0:
            return None
        candidate = candidate[:cut]
    return None


def _is_iban(candidate: str, text: str, start: int) -> bool:
    """Tell whether a number is an IBAN. After the word "IBAN", its length may be one that the country does not use."""
    compact = candidate.replace(" ", "").replace("-", "").upper()
    if int((compact[4:] + compact[:4]).translate(_LETTER_VALUES)) % 97 != 1:  # most candidates fail this check
        return False
    return iban.is_valid(candidate, check_country=False) or "iban" in before(text, start)


def _ssns(text: str) -> Found:
    for match in _SSN.finditer(text):
        named = bool(_SSN_WORD.search(before(text, match.start())))
        valid = ssn.is_valid(digits(match[0])) or itin.is_valid(digits(match[0]))
        # An invalid number that its writer calls an SSN is a mistyped one.
        if (match["mark"] == "-" and (valid or named)) or (valid and named):
            yield match.start(), match.end(), 0.95 if valid else 0.7


def _national_ids(text: str) -> Found:
    for form, is_valid, words in _NATIONAL_RULES:
        for match in form.finditer(text):
            if words and not words.search(before(text, match.start())):
                continue
            if _is_valid(is_valid, match[0]):
                yield match.start(), match.end(), 0.9


def _is_valid(is_valid: Callable[[str], bool], number: str) -> bool:
    try:
        return is_valid(number)
    except ValueError:  # of dates within the number, in some validators
        return False


def _licences(text: str) -> Found:
    for match in _LICENCE.finditer(text):
        if _LICENCE_WORD.search(before(text, match.start())):
            yield match.start(), match.end(), 0.8


def _passports(text: str) -> Found:
    for match in _PASSPORT.finditer(text):
        if _PASSPORT_BEFORE.search(before(text, match.start())):
            yield match.start(), match.end(), 0.8


RULES = (
    PiiRule("CARD", r"(?:[0-9][ .-]?){11}[0-9]", _cards, has_digit=True),
    PiiRule("IBAN", r"[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{4}[ -]?[A-Za-z0-9]{3}", _ibans, has_digit=True),
    PiiRule("SSN", r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}", _ssns, has_digit=True),
    PiiRule("NATIONAL_ID", _NATIONAL_HINT, _national_ids, has_digit=True),
    PiiRule("NATIONAL_ID", r"(?i)licen[cs]e|passport", _licences, has_digit=True),
    PiiRule("NATIONAL_ID", rf"(?i){_PASSPORT_WORDS}", _passports, has_digit=True),
)
