"""E-mail addresses, URLs, IP and MAC addresses.

Belongs here: what the net's own grammar decides. Does not belong here: numbers of people (``identifiers``, ``phones``).
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from analytics_platform.transform.pii.rules import UNSPACED, Found, Rule, before, begins, ends

_EMAIL = re.compile(
    begins(r"(?<!\w)")
    + rf"(?![{UNSPACED}])(?P<local>(?:[^\W_](?:(?![{UNSPACED}])[\w.+%'-]){{0,63}}|_[\w.+%'-]{{1,63}}))"
    r"@(?P<domain>(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}"
    r"(?:[A-Za-z]{2,24}(?![A-Za-z0-9])|(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![^\W_])))"
)
_SCHEME_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://|[Ww]{3}\.(?=[^\W_]))[^\s<>\"`{}|\\^]{2,4000}"
)
# A password may hold any character where its writer did not encode it.
_CREDENTIAL_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://(?:[^\s/<>\"`]{1,256}@)?|[Ww]{3}\.(?=[^\W_]))"
    r"[^\s<>\"`{}|\\^]{2,4000}"
)
_DOMAINS = (
    "com net org edu gov mil int info biz io ai app dev me tv co uk de fr es it nl be ch at se no dk fi pl cz hu pt "
    "br ru us ca au nz jp cn in mx ar cl za ie gr ro bg sk si hr ee lv lt lu is eu kr tw sg hk tr ua il xyz online shop"
)
_BARE_URL = re.compile(
    r"(?<![\w@./:#-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}"
    rf"(?:{'|'.join(_DOMAINS.split())})(?::[0-9]{{2,5}})?(?:/[^\s<>\"`{{}}|\\^]{{0,2000}}|(?![\w@-]|\.\w))",
    re.IGNORECASE,
)
# A full stop without a space after it, as in "on Monday.Is that right", far more often than somebody's domain.
_SENTENCE_END = re.compile(r"[A-Za-z0-9-]+\.(?:at|be|in|is|it|me|no|us|info|online|shop)", re.IGNORECASE)
_VISIT = re.compile(r"(?:\b(?:see|visit|go to|goto|at|on|site|website|url|domain|link|from|page|is|open)\W{0,2}|[(<])$")
_TRAILING = ".,;:!?'\"*)]>’”»…。，、！？）"
_IPV4 = re.compile(
    begins(r"(?<![\w.])") + r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}" + ends(r"(?!\w|-(?!(?:[0-9]{1,3}\.){3}[0-9])|\.[0-9])")
)
_RANGE = re.compile(r"(?:^|[^\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}-$")  # its first address, before the second
# Neither "server" or "over", nor the flag -v, speaks of a version.
_VERSION = re.compile(
    r"(?:(?<![\w-])v|(?<![^\W_])(?:version|ver|release|kernel|build|upgrade to|update to)|版本|バージョン|버전)"
    r"(?: is)?\W{0,3}$"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,45}"
    r"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?![\w:])"
)
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}(?P<mark>[:-])(?:[0-9A-Fa-f]{2}(?P=mark)){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w:-])"
)
_SECRET_PARAMETER = re.compile(
    r"[?&#;](?:access_token|token|api_?key|key|secret|password|passwd|pwd|sig|signature|auth)=[^&#\s]{6,}",
    re.IGNORECASE,
)


def _emails(text: str) -> Found:
    for match in _EMAIL.finditer(text):
        dots = match["local"].rfind("..")  # an ellipsis is none of the address
        if not match["local"].endswith(".."):
            yield match.start() + (dots + 2 if dots >= 0 else 0), match.end(), 0.99


def _urls(text: str) -> Found:
    for match in _SCHEME_URL.finditer(text):
        end = _url_end(match)
        if _is_url(text[match.start() : end]):
            yield match.start(), end, 0.99
    for match in _BARE_URL.finditer(text):
        end = _url_end(match)
        if _is_domain(text, match.start(), end):
            yield match.start(), end, 0.8


def _is_domain(text: str, start: int, end: int) -> bool:
    domain = text[start:end]
    return not _SENTENCE_END.fullmatch(domain) or (domain.islower() and bool(_VISIT.search(before(text, start))))


def _url_end(match: re.Match[str]) -> int:
    """Leave out the punctuation of the sentence, and a closing bracket that was not opened in the URL."""
    url = match[0]
    while url and url[-1] in _TRAILING and not (url[-1] == ")" and url.count("(") >= url.count(")")):
        url = url[:-1]
    return match.start() + len(url)


def _is_url(url: str) -> bool:
    return bool(_host(url))


def _host(url: str) -> str:
    try:
        return urlsplit(url if "://" in url else f"//{url}").hostname or ""
    except ValueError:  # such as an unclosed bracket around an IPv6 address
        return ""


def _credential_urls(text: str) -> Found:
    for match in _CREDENTIAL_URL.finditer(text):
        end = _url_end(match)
        url = text[match.start() : end]
        authority = url.partition("://")[2].partition("/")[0]
        if ":" in authority.rpartition("@")[0] or _SECRET_PARAMETER.search(url):
            yield match.start(), end, 0.99


def _ipv4(text: str) -> Found:
    for match in _IPV4.finditer(text):
        context = before(text, match.start())
        if context.endswith("-") and not _RANGE.search(context):
            continue
        if _is_ip(match[0]) and not _VERSION.search(context):
            yield match.start(), match.end(), 0.95


def _ipv6(text: str) -> Found:
    for match in _IPV6.finditer(text):
        address = match[0]
        if address.endswith(":") and not address.endswith("::"):
            address = address[:-1]
        if any(map(str.isdigit, address)) and _is_ip(address):
            yield match.start(), match.start() + len(address), 0.95


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _macs(text: str) -> Found:
    for match in _MAC.finditer(text):
        yield match.start(), match.end(), 0.95


RULES = (
    Rule("SECRET", r"://[^/\s]*@|[?&#;][A-Za-z_]{3,}=", _credential_urls),
    Rule("EMAIL", r"@[^\s@]+\.", _emails),
    Rule("URL", r"://|(?i:www\.)|[A-Za-z0-9]\.[A-Za-z]{2}", _urls),
    Rule("IP", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", _ipv4),
    Rule("IP", r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:(?:[0-9A-Fa-f]|/[0-9])", _ipv6),
    Rule("MAC", r"(?i:[0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.)", _macs),
)
