"""Finds secrets by the words around them: passwords, private keys, connection strings, basic authorization.

``secret_tokens`` finds keys and tokens whose form their issuer fixes.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

from analytics_platform.transform.pii.pii_rules import UNSPACED, Found, PiiRule

_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_ASSIGNED = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key|secret(?:[_ -]?key)?|auth[_ -]?token|access[_ -]?token|token|bearer|"
    r"passw(?:or)?d|passphrase|pwd)\b[\"']?(?:\s{0,3}(?:is|was|=|:|=>|:=)\s{0,3}|\s)[\"']?(?P<value>[^\s\"'<>,;]{8,256})",
    re.IGNORECASE,
)
_WORD = (
    r"passwords?|passwd|passwor[dt]|passwort|pass(?:phrase|code)|(?:kenn|code|zugangskenn)wort|zugangscode|pwd|pw"
    r"|mots? de passe|mdp|code secret|contrase[ñn]a|clave|parola(?: d['’]ordine)?|senha|palavra[ -]passe|wachtwoord"
    r"|has[łl]o|l[öo]senord(?:et)?|[şs]ifre(?:m|miz|niz|si)?|parola[mn]|adgangskode|kodeord(?:et)?|passord(?:et)?"
    r"|salasana(?:ni)?|heslo|пароль?(?:я|ем)?"
)
"""Words for password, in languages that put spaces between words."""
_UNSPACED_WORD = r"密码|密碼|口令|パスワード|暗証番号|비밀번호|비번|암호|รหัสผ่าน"
_COPULA = (
    r"is|c['’]est|s(?:er[íi]a|erait|arebbe|eria)|soll|wäre|будет|was|are|lautet|ist|war|hei(?:ß|ss)t|est|[ée]tait|es|era|è|e['’]|é|eh|luidt|to|jest|brzmi|[äa]r|var|lyder|er|on"
    r"|je|это|был|olarak|[-\u2013\u2014]|now|jetzt|nu|set to"
)
_OTHER_SUBJECT = (
    r"(?:managers?|resets?|generators?|polic(?:y|ies)|fields?|length|hint|hash|apps?|file|prompt|page|database)\b"
)
_ADVERB = (
    r"(?:\s{1,3}(?:now|currently|still|just|always|probably|bisher|jetzt|momentan|aktuell|derzeit|immer|noch|wohl|nu"
    r"|actuellement|maintenant|(?:le |el )?(?:suivant|siguiente)|ahora|siempre|attualmente|adesso|sempre|agora|toujours"
    r"|altijd|teraz|сейчас|теперь)){0,2}"
)
_BETWEEN = rf"(?:\s{{1,3}}(?!{_OTHER_SUBJECT})[^\W\d_]{{1,15}}){{0,5}}?"
"""Words between the password word and the verb, as in "das Passwort für mein Konto lautet". Words that make something
else the subject, such as "manager", do not count.
"""
_MARK = r"(?:[:=\uff1a]|[-=]?>|→)"
_VALUE = (
    r"(?:\"(?P<spaced>[^\"\n]{6,64})\"|(?P<quote>[\"'`“„«\u2018])(?P<quoted>[^\s\"'`“”„«»\u2018’<>]{6,256})"
    r"|(?P<value>[^\s\"'`“”„«»<>,;]{6,256}))"
)
_PASSWORD = re.compile(
    rf"(?<!\w)(?<!boarding )(?:{_WORD}|pass(?={_MARK}|\s{{0,2}}{_MARK}|\s(?:is|was)\s))(?!\w)[\"'”»’)]?"
    rf"(?:\s{{0,2}}{_MARK}\s{{0,2}}|{_BETWEEN}(?:\s{{0,2}}{_MARK}\s{{0,2}}|\s{{1,3}}(?:{_COPULA}){_ADVERB}\s{{0,2}}:?\s{{0,2}}"
    r"|['’]s\s{1,2}))" + _VALUE,
    re.IGNORECASE,
)
"""Matches a value after a sign or a form of *to be*. The sentence leaves little doubt, so the value may be short."""
_NEXT_TO_IT = re.compile(
    rf"(?<!\w)(?:[şs]ifre(?:m|miz|niz|si)|parola[mn]|пароль?|salasana(?:ni)?|heslo|has[łl]o|wachtwoord|contrase[ñn]a|senha){_ADVERB}\s{{1,2}}{_VALUE}",
    re.IGNORECASE,
)
"""Matches a value right after the password word: Turkish and Russian need no verb, and hurried writers omit it in other
languages.
"""
_UNSPACED_PASSWORD = re.compile(
    rf"(?:{_UNSPACED_WORD})(?:[{UNSPACED}\s]{{0,12}}|\s{{0,2}})[=:\uff1a]?\s{{0,2}}[\"'“「『]?"
    rf"(?P<value>(?![{UNSPACED}])[!-~]{{6,256}})"
)
_NO_PASSWORD = re.compile(
    r"(?:/|<|http|~|\$\(|\$\{?[A-Z_][A-Z0-9_]*\}?$|%[A-Z_]+%$"
    r"|(?i:(?:base|sha|aes|rsa|utf|md|rot|b?crypt|win|oauth|ntlmv?|ipv|x|scrypt|argon|pbkdf)-?[0-9]{1,4}(?![\w!@#$%^&*])))"
)
"""Matches values that mix letters and digits and are not passwords: paths, addresses, variables, names of ciphers and
encodings.
"""
_TRAILING = ".,;:)]}>\"'`”’»」』。、"
_CONNECTION = re.compile(
    r"(?:AccountKey|SharedAccessKey|SharedAccessSignature|Password|Pwd)=[^;\s\"'<>]", re.IGNORECASE
)
_PART_BEFORE = re.compile(r"(?<![\w-])[A-Za-z]+=[^;=\n]*$")
_KEY_WORDS = re.compile(r"\s?(?:[A-Za-z]+ ){0,2}")  # of a key such as User Id, before its last
_PARTS_AFTER = re.compile(r"[^;\s\"'<>]*(?:;\s?[A-Za-z]+(?: [A-Za-z]+){0,3}=[^;\s\"'<>]*)*;?")
_CONNECTION_REACH = 1_000  # code points searched before the key
_BASIC = re.compile(
    r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?basic\s{1,3}(?P<value>[A-Za-z0-9+/_-]{4,1024}={0,2})", re.IGNORECASE
)
_MINIMUM_ENTROPY = 2.8  # bits a character: English words of this length have less, or no digit


def _private_keys(text: str) -> Found:
    position = 0
    while begin := _PRIVATE_KEY.search(text, position):
        end = _PRIVATE_KEY_END.search(text, begin.end())
        position = end.end() if end else len(text)  # cut short: all that follows is the key
        yield begin.start(), position, 0.99


def _assigned(text: str) -> Found:
    for match in _ASSIGNED.finditer(text):
        value = _without_sentence(match["value"])
        if _looks_random(value):
            yield match.start("value"), match.start("value") + len(value), 0.8


def _passwords(text: str) -> Found:
    for pattern in (_PASSWORD, _NEXT_TO_IT):
        for match in pattern.finditer(text):
            group = next(name for name in ("spaced", "quoted", "value") if match[name])
            value = _without_sentence(match[group]) if group == "value" else match[group]
            if _is_password(value, stated=pattern is _PASSWORD):
                yield match.start(group), match.start(group) + len(value), 0.8


def _unspaced_passwords(text: str) -> Found:
    for match in _UNSPACED_PASSWORD.finditer(text):
        value = _without_sentence(match["value"])
        if _is_password(value, stated=True):
            yield match.start("value"), match.start("value") + len(value), 0.8


def _without_sentence(value: str) -> str:
    """Return a value without the punctuation of the sentence around it.

    An exclamation or question mark may be the last character of a password, so it stays.
    """
    return value.rstrip(_TRAILING)


def _is_password(value: str, *, stated: bool) -> bool:
    """Tell a password from a word.

    Args:
        value: The candidate.
        stated: Whether the sentence says that the value is a password; digits alone are then enough.
    """
    if len(value) < 6 or _NO_PASSWORD.match(value):
        return False
    return _is_mixed(value) or (stated and (value.isdecimal() or _has_sign_inside(value)))


def _has_sign_inside(value: str) -> bool:
    """Tell whether a value mixes letters with signs that no word contains, as in P@ssword."""
    inside = value[1:].rstrip("!?*")
    return any(map(str.isalpha, value)) and any(sign in inside for sign in "@#$%^&+=~")


def _connection_strings(text: str) -> Found:
    done = 0
    for match in _CONNECTION.finditer(text):
        if match.start() < done:
            continue
        start, parts = match.start(), text[max(0, done, match.start() - _CONNECTION_REACH) : match.start()].split(";")
        beside = parts.pop()
        if beside and not beside[-1].isspace():  # the end of a longer word
            continue
        if beside.strip():  # a sentence, which the string begins after
            parts = []
        while parts and (before := _PART_BEFORE.search(parts[-1])):
            part = parts.pop()
            whole = parts and _KEY_WORDS.fullmatch(part, 0, before.start())
            start = text.rindex(part, 0, start) + (0 if whole else before.start())
            if not whole:  # before the first part stands the sentence around the string
                break
        if start == match.start() and match[0][0] in "Pp":  # _passwords finds a password alone
            continue
        end = _PARTS_AFTER.match(text, match.end() - 1)
        done = end.end() if end else match.end()
        yield start, done, 0.99


def _basic(text: str) -> Found:
    for match in _BASIC.finditer(text):
        if _is_basic(match["value"]):
            yield *match.span("value"), 0.95


def _is_basic(value: str) -> bool:
    """Tell whether a value is the Base64 form of a user and a password, as HTTP sends them, or an ordinary word."""
    bare = value.rstrip("=")
    try:
        return b":" in base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_")
    except binascii.Error:
        return False


def _is_mixed(value: str) -> bool:
    """Tell whether a value mixes letters and digits and is not a path, an address or a variable."""
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return mixed and not _NO_PASSWORD.match(value)


def _looks_random(value: str) -> bool:
    """Tell a password or key from a word: letters and digits mixed, no path, and many different characters."""
    if len(value) < 8 or not _is_mixed(value):
        return False
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return entropy >= _MINIMUM_ENTROPY


_SIGN = "[0-9@#$%^&+~=]"
RULES = (
    PiiRule("SECRET", r"-----BEGIN [A-Z ]*PRIVATE KEY", _private_keys),
    PiiRule(
        "SECRET", r"(?i)(?:key|secret|token|bearer|passw|passphrase|pwd)[^0-9]{0,12}\S*[0-9]", _assigned, has_digit=True
    ),
    PiiRule("SECRET", rf"(?i)(?:{_WORD}|\bpass\b).*{_SIGN}", _passwords),
    PiiRule("SECRET", rf"(?:{_UNSPACED_WORD}).*{_SIGN}", _unspaced_passwords),
    PiiRule("SECRET", r"(?i)(?:accountkey|sharedaccess(?:key|signature)|;\s?(?:password|pwd))=", _connection_strings),
    PiiRule("SECRET", r"(?i)authorization\W{1,8}basic\s", _basic),
)
