"""Finds phone numbers of any country by their form, by the ``phonenumbers`` library, and by the words around them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import phonenumbers

from analytics_platform.transform.pii.pii_rules import Found, PiiRule, after, before, begins, digits, ends

_EXTENSION = r"(?:[ ,;]{0,2}(?:x|ext\.?|extension)[ .:]{0,2}[0-9]{1,6})?"
_CANDIDATE = re.compile(
    r"(?=[0-9(+])"  # rejects most characters sooner than the look-behinds
    + begins(r"(?<![\w./#$€£=+(-])(?<![0-9][,:])")
    + rf"(?:\(?\+|00)?\(?[0-9](?:[ .\-/()]{{0,3}}[0-9]){{5,16}}{_EXTENSION}"
    + ends(r"(?![\w:/=%]|[.,][0-9]|-[0-9])"),
    re.IGNORECASE,
)
_MOST_CUTS = 2
"""The most digit groups that are cut from the end of a candidate because they belong to the following words, as in
"+442079460958 2 times".
"""
_LAST_GROUP = re.compile(r"[ .\-/()]+[0-9]+$")
_NANP = re.compile(
    r"(?:\+?1[ .-]?|001[ .-])?(?:\([2-9][0-9]{2}\) ?[0-9]{3}[ .-]|[2-9][0-9]{2}([ .-])[0-9]{3}\1)[0-9]{4}", re.ASCII
)
_WORD_BEFORE = re.compile(
    r"\b(?:phone|telephone|tel|mobile|cell|cellphone|landline|fax|call|calls|calling|called|dial|ring|rang|sms|"
    r"whats\s?app|text|texts|texted|texting|message|messages|voicemail|hotline|helpline|answering|answer|contact|"
    r"reach|office|line|handset|number|telefon|telefono|teléfono|telefone|téléphone|handy|móvil|celular|portable|"
    r"appelez|numéro|nummer|número|numero|puhelin|тел|телефон)\b|电话|電話|手机|手機|携帯|전화|휴대폰|번호|โทร"
)
_WORD_AFTER = re.compile(
    r"^\W{0,2}(?:office|fax|home|mobile|cell|work|phone|tel|is (?:my|his|her|our|the|your)\b.{0,9}(?:number|phone))"
)
_PROGRAM_BEFORE = re.compile(
    r"\b(?:call|calls|called|calling|answer|message|messages|reach|number)\s(?:\w+\s){0,3}?"
    r"(?:functions?|methods?|apis?|endpoints?|procedures?|services?|routines?|constructors?|callbacks?|handlers?|macros?|scripts?|"
    r"queue|topic|bus|block|row|rows|column|item|sequence)\b"
)
_COUNT_AFTER = re.compile(
    r"^\s(?:times(?! out)|people|persons|users?|customers?|clients?|subscribers|followers|visitors|records?|rows?|"
    r"lines|items?|entries|requests?|calls|messages|texts|emails|mails|characters|chars|words|tokens|bytes?|bits|kb|mb|gb|tb|ms|msec|"
    r"milliseconds|seconds?|secs?|minutes?|mins?|hours?|hrs|days|weeks|months|years|dollars|euros?|"
    r"usd|eur|pounds|points|percent|views|downloads|units|pieces|copies|votes|iterations|loops|cycles|samples|files|documents|pages|orders|tickets|"
    r"transactions|connections|questions|mal|fois|veces|volte|vezes|keer|razy|gånger|kez|раз)\b"
)
"""Matches a counted noun. Digits before it are an amount, whatever verb precedes them."""
_STREET_AFTER = re.compile(r"^ (?:\w+ ){1,2}(?:street|st|avenue|ave|road|rd|lane|drive|way|suite|apt)\b")
_OTHER_NUMBER = re.compile(
    r"\b(?:bugs?|ticket|order|case|version|ver|id|ids|account|acct|card|licen[cs]e|invoice|pid|issue|error|code|zip|postal|"
    r"booking|reservation|tracking|serial|ref|reference|confirmation|passport|isbn|port|line|commit|date|credit|debit|"
    r"ssn|iban|security|insurance|member|policy|flight|model|room|suite|apt|unit|box|pin|otp|rev|revision|build|kernel|bytes?|kb|mb|gb)"
    r"(?:\s+(?:number|no|nr|is|was|id|#))*\W{0,4}$"
)
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}([-./ ])[01]?[0-9]\1[0-3]?[0-9](?:[ T][0-9]{2}.*)?"
    r"|[0-3]?[0-9]([-./ ])[0-3]?[0-9]\2(?:19|20)?[0-9]{2}"
    r"|(?:1[5-9]|20)[0-9]{2} ?[-/] ?(?:1[5-9]|20)[0-9]{2}"
)
_DECIMALS = re.compile(
    r"[0-9]+\.[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+|(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9]+(?:\.[0-9]+){2,}-.*"
)
_DIALLED = re.compile(
    r"\(?0[0-9]{1,5}\)?(?:[ ./-]?[0-9]{2,10}){1,5}(?:-[0-9]{1,2})?|[0-9]{2,4}([ -])[0-9]{2,4}(?:\1[0-9]{2,4}){1,4}"
)
_AREA_IN_BRACKETS = re.compile(r"\([0-9]{2,5}\) ?[0-9]{2,8}(?:[ .-]?[0-9]{2,5}){0,4}")
_MOBILE_IN_BRAZIL = re.compile(r"[1-9]{2} 9[0-9]{4}[- ][0-9]{4}")
_RUSSIAN = re.compile(
    r"8 ?\([3489][0-9]{2}\) ?[0-9]{7}|8[ -]?\(?[3489][0-9]{2}\)?[ -]?[0-9]{3}[ -][0-9]{2}[ -]?[0-9]{2}"
)
_BRACKET_REGIONS = ("RU", "UA", "MX", "AR", "TR", "CN", "JP", "KR", "ID", "PT", "CZ", "DK", "IE", "NZ")
"""Countries, in addition to ``_REGIONS``, whose numbers count when the area code stands in brackets."""
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "AT", "SE", "AU", "IN", "BR", "PL", "ZA", "FI", "NO", "BE")


def _phones(text: str) -> Found:
    for match in _CANDIDATE.finditer(text):
        start, end = match.start(), match.end()
        while text[end - 1] in " .-/()":
            end -= 1
        if text[start:end].startswith("(") and ")" not in text[start:end]:
            start += 1
        confidence = _confidence(text, start, end)
        cuts = _MOST_CUTS
        while not confidence and cuts and (last := _LAST_GROUP.search(text, start, end)):
            cuts, end = cuts - 1, last.start()
            part = text[start:end]
            if part.startswith(("+", "(+")) or _NANP.fullmatch(part):  # other digits may be the beginning of anything
                confidence = _confidence(text, start, end)
        if confidence:
            yield start, end, confidence


def _confidence(text: str, start: int, end: int) -> float:
    candidate = text[start:end]
    number = re.split(r"(?i)[ ,;]*(?:x|ext)", candidate)[0]
    size = len(digits(number))
    if not 6 <= size <= 15 or _DATE.fullmatch(candidate) or len(set(digits(number))) == 1:
        return 0.0
    if candidate.startswith(("+", "(+")):
        return 0.97 if _is_possible(number) else 0.0
    context = before(text, start)
    if _OTHER_NUMBER.search(context):
        return 0.0
    if _NANP.fullmatch(number):
        return 0.95
    if _DECIMALS.fullmatch(candidate):
        return 0.0
    following = after(text, end)
    if _COUNT_AFTER.search(following) and number.isdecimal():
        return 0.0
    spoken_of = _WORD_BEFORE.search(_PROGRAM_BEFORE.sub(" ", context)) or _WORD_AFTER.search(following)
    if spoken_of:
        return 0.85
    if _STREET_AFTER.search(following):
        return 0.0
    return 0.75 if size >= 9 and _is_national(number) else 0.0


def _is_national(number: str) -> bool:
    """Tell whether digits are a valid national number in a usual form; no word about phones stands beside them."""
    number = number.replace("(0)", "0", 1)
    if _DIALLED.fullmatch(number) and _is_valid_somewhere(number):
        return True
    if _AREA_IN_BRACKETS.fullmatch(number):
        return _is_valid_somewhere(number, _REGIONS + _BRACKET_REGIONS)
    if _MOBILE_IN_BRAZIL.fullmatch(number):
        return _is_valid_somewhere(number, ("BR",))
    return bool(_RUSSIAN.fullmatch(number)) and _is_valid_somewhere(number, ("RU",))


def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return False


def _is_valid_somewhere(number: str, regions: Sequence[str] = _REGIONS) -> bool:
    if number.startswith("00"):
        return _is_possible("+" + number[2:])
    for region in regions:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(number, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


RULES = (PiiRule("PHONE", r"[0-9](?:[ .\-/()]{0,3}[0-9]){5}", _phones, has_digit=True),)
