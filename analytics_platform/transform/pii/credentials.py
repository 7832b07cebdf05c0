"""Secrets: API keys, tokens, private keys, passwords that are given away.

Belongs here: the forms that issuers publish, and words such as ``password`` before something that looks random.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

from analytics_platform.transform.pii.rules import Found, Rule

_ISSUED = {
    "AWS": r"(?:AKIA|ASIA|AGPA|AROA|AIDA|ANPA|ANVA)[A-Z0-9]{16}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}",
    "GitLab": r"gl(?:pat|ptt|rt|dt|soat)-[A-Za-z0-9_-]{20,64}",
    "Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-[0-9]-[A-Za-z0-9-]{10,250}",
    "Stripe": r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,247}|whsec_[A-Za-z0-9]{24,64}",
    "OpenAI, Anthropic": r"sk-(?:ant-|proj-|svcacct-|or-)?[A-Za-z0-9_-]{20,250}",
    "Google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,250}|GOCSPX-[A-Za-z0-9_-]{28}",
    "SendGrid": r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}",
    "Twilio": r"(?:AC|SK)[0-9a-f]{32}",
    "npm, PyPI, Hugging Face": r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}|hf_[A-Za-z0-9]{30,64}",
    "DigitalOcean, Shopify": r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "Telegram": r"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}",
    "JSON web token": r"eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}(?:\.[A-Za-z0-9_-]{0,1000})?",
}
_ISSUED_FORM = re.compile(rf"(?<![A-Za-z0-9_-])(?:{'|'.join(_ISSUED.values())})(?![A-Za-z0-9_-])")
_HINT = (
    r"A(?:KIA|SIA|GPA|ROA|IDA|NPA|NVA)[A-Z0-9]{16}|gh[pousr]_|github_pat_|gl[a-z]{2,4}-|xox[a-z]-|xapp-|[srp]k_(?:live|test)_"
    r"|whsec_|sk-[A-Za-z0-9_-]{20}|AIza|ya29\.|GOCSPX|SG\.[A-Za-z0-9]|(?:AC|SK)[0-9a-f]{32}|npm_|pypi-|hf_|do[opr]_v1_"
    r"|shp[a-z]{2}_|:AA[A-Za-z0-9_-]{33}|eyJ"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PRIVATE_KEY_END = re.compile(r"-----END (?:[A-Z]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_ASSIGNED = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key|secret(?:[_ -]?key)?|auth[_ -]?token|access[_ -]?token|token|bearer|"
    r"passw(?:or)?d|passphrase|pwd)\b[\"']?(?:\s{0,3}(?:is|was|=|:|=>|:=)\s{0,3}|\s)[\"']?(?P<value>[^\s\"'<>,;]{8,256})",
    re.IGNORECASE,
)
_WORD_FOR_IT = (
    r"\b(?:passw(?:or)?d|passphrase|pwd|pw|passwort|kennwort|contraseña|senha|mot de passe|wachtwoord)\b"
    r"|пароль|密码|密碼|パスワード|비밀번호"
)
_PASSWORD = re.compile(
    rf"(?:{_WORD_FOR_IT})[\"']?\s{{0,2}}[:=\uff1a]\s{{0,2}}[\"']?(?P<value>[^\s\"'<>,;]{{6,256}})",
    re.IGNORECASE,
)
"""A sign between the word and the value leaves little doubt, so the value may be short."""
_BASIC = re.compile(
    r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?basic\s{1,3}(?P<value>[A-Za-z0-9+/_-]{4,1024}={0,2})", re.IGNORECASE
)
_MINIMUM_ENTROPY = 2.8  # bits a character: English words of this length have less, or no digit


def _issued(text: str) -> Found:
    for match in _ISSUED_FORM.finditer(text):
        yield match.start(), match.end(), 0.99


def _private_keys(text: str) -> Found:
    position = 0
    while begin := _PRIVATE_KEY.search(text, position):
        end = _PRIVATE_KEY_END.search(text, begin.end())
        position = end.end() if end else len(text)  # cut short: all that follows is the key
        yield begin.start(), position, 0.99


def _assigned(text: str) -> Found:
    for match in _ASSIGNED.finditer(text):
        value = match["value"].rstrip(".!?)")
        if _looks_random(value):
            yield match.start("value"), match.start("value") + len(value), 0.8


def _passwords(text: str) -> Found:
    for match in _PASSWORD.finditer(text):
        value = match["value"].rstrip(".?)")
        if len(value) >= 6 and _is_mixed(value):
            yield match.start("value"), match.start("value") + len(value), 0.8


def _basic(text: str) -> Found:
    for match in _BASIC.finditer(text):
        if _is_basic(match["value"]):
            yield *match.span("value"), 0.95


def _is_basic(value: str) -> bool:
    """Tell whether a value is a user and a password as HTTP sends them, and no word such as authentication."""
    bare = value.rstrip("=")
    try:
        return b":" in base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_")
    except binascii.Error:
        return False


def _is_mixed(value: str) -> bool:
    """Tell whether letters and digits are mixed in what is no path, address or variable."""
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return mixed and not value.startswith(("/", "<", "http", "$", "~"))


def _looks_random(value: str) -> bool:
    """Tell a password or key from a word: letters and digits mixed, no path, and many different characters."""
    if len(value) < 8 or not _is_mixed(value):
        return False
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    return entropy >= _MINIMUM_ENTROPY


RULES = (
    Rule("SECRET", _HINT, _issued),
    Rule("SECRET", r"-----BEGIN [A-Z ]*PRIVATE KEY", _private_keys),
    Rule("SECRET", r"(?i)(?:key|secret|token|bearer|passw|passphrase|pwd)[^0-9]{0,12}\S*[0-9]", _assigned),
    Rule("SECRET", rf"(?i)(?:{_WORD_FOR_IT}).{{0,3}}[:=\x{{ff1a}}]", _passwords),
    Rule("SECRET", r"(?i)authorization\W{1,8}basic\s", _basic),
)
