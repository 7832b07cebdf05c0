"""Finds e-mail addresses, URLs, IP and MAC addresses, and leaves out addresses that identify no person."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from analytics_platform.transform.pii.pii_rules import UNSPACED, Found, PiiRule, before, begins, ends

_DOMAINS = (
    "com net org edu gov mil int info biz io ai app dev me tv co uk de fr es it nl be ch at se no dk fi pl cz hu pt "
    "br ru us ca au nz jp cn in mx ar cl za ie gr ro bg sk si hr ee lv lt lu is eu kr tw sg hk tr ua il xyz online shop"
)
_TOP = "|".join(_DOMAINS.split())
_UNSPACED_TOP = (
    "中国|中國|公司|网络|網絡|网址|网站|商城|集团|台灣|台湾|香港|澳門|新加坡|政务|公益|移动|在线|中文网|みんな|コム|クラウド|ストア|セール"
    "|한국|닷컴|닷넷|คอม|ไทย"
)
"""Top-level domains in scripts without spaces. Without this list, the words that follow would count as part of the
domain.
"""
_LABELS = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}"
_LOCAL = rf"(?:[^\W_](?:(?![{UNSPACED}])[\w.+%'-]){{0,63}}|_[\w.+%'-]{{1,63}})"
_QUOTED_LOCAL = r"\"(?:[^\"\\\r\n]|\\.){1,64}\""
_NO_WORD_BEFORE = begins(r"(?<!\w)")
_EMAIL = re.compile(
    rf"(?:{_NO_WORD_BEFORE}(?![{UNSPACED}])(?P<local>{_LOCAL})|(?<![\w\"])(?P<quoted>{_QUOTED_LOCAL}))"
    rf"@(?P<domain>{_LABELS}"
    rf"(?:xn--[a-z0-9-]{{2,59}}(?![^\W_])|(?:{_UNSPACED_TOP})"
    r"|[A-Za-z]{2,24}(?![A-Za-z0-9])|[^\W\d_]{2,24}(?![^\W_])))"
)
_UNSPACED_EMAIL = re.compile(
    rf"(?<![{UNSPACED}\w.+-])(?:(?![@])[\w.+-]){{0,63}}[{UNSPACED}]@{_LABELS}(?:{_UNSPACED_TOP}|(?:{_TOP})(?![A-Za-z0-9-]))",
    re.IGNORECASE,
)
"""Matches a local part that ends in letters of a script without spaces. No space marks its beginning, so all letters
before it belong to the span.
"""
_AT_WORD = r"at|ät|arroba|arobase|chiocciola|ma[łl]pa|kukac|собака|@"
_DOT_WORD = r"dot|punkt|point|punto|ponto|kropka|точка|\."
_BRACKETED_AT = rf"(?:\(a\)|\s{{0,2}}[(\[{{<]\s?(?:{_AT_WORD})\s?[)\]}}>]\s{{0,2}})"
_ANY_DOT = rf"(?:\s{{0,2}}[(\[{{<]\s?(?:{_DOT_WORD})\s?[)\]}}>]\s{{0,2}}|\s{{1,2}}(?:{_DOT_WORD})\s{{1,2}}|\.)"
_SPELT_NAME = rf"[^\W_][\w+%'-]{{0,40}}(?:{_ANY_DOT}[^\W_][\w+%'-]{{0,40}}){{0,3}}"
_SPELT_DOMAIN = rf"[^\W_][\w-]{{0,60}}(?:{_ANY_DOT}[^\W_][\w-]{{0,60}}){{0,3}}"
_BRACKETED_EMAIL = re.compile(
    rf"(?<![\w.]){_SPELT_NAME}{_BRACKETED_AT}{_SPELT_DOMAIN}{_ANY_DOT}(?:{_TOP}|[a-z]{{2,12}}(?=\s*(?:[^\w\s.]|$)))(?!\w)",
    re.IGNORECASE,
)
_MAILBOX = r"(?:gmail|googlemail|yahoo|hotmail|outlook|icloud|proton(?:mail)?|live|msn|aol|gmx|web|mail|yandex|qq|163)"
_MAILBOX_DOMAIN = re.compile(rf"{_MAILBOX}(?![^\W_])", re.IGNORECASE)
_SPELT_DOT = r"(?:[\s_-]{1,2}(?:dot|punkt|punto|ponto|point|точка)[\s_-]{1,2})"
_SPELT_EMAIL = re.compile(
    rf"(?<![\w.])(?P<local>[^\W_][\w.+-]{{0,40}}(?:{_SPELT_DOT}[^\W_][\w+-]{{0,40}}){{0,3}})"
    rf"(?:[\s_-]{{1,2}}(?P<at>at|ät|arroba|chiocciola|собака)[\s_-]{{1,2}})"
    rf"(?P<domain>[^\W_][\w-]{{0,60}}(?:{_SPELT_DOT}[^\W_][\w-]{{0,60}}){{0,3}}{_SPELT_DOT}(?:{_TOP})|{_MAILBOX}\.(?:{_TOP}))(?![\w-])",
    re.IGNORECASE,
)
_MAIL_WORD = re.compile(
    r"mail|address|adress|contact|reach|write|send|correo|courriel|kontakt|schreib|почт|邮箱|メール"
)
_SCHEME_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://|[Ww]{3}\.(?=[^\W_]))[^\s<>\"`{}|\\^]{2,4000}"
)
# A password that its writer did not encode may hold any character.
_CREDENTIAL_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?:[A-Za-z][A-Za-z0-9+.-]{1,20}://(?:[^\s/<>\"`]{1,256}@)?|[Ww]{3}\.(?=[^\W_]))"
    r"[^\s<>\"`{}|\\^]{2,4000}"
)
_BARE_URL = re.compile(
    r"(?<![\w@./:#-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,4}"
    rf"(?:{_TOP})(?P<more>(?::[0-9]{{2,5}})?(?:/[^\s<>\"`{{}}|\\^]{{0,2000}}|(?![\w@-]|\.\w)))",
    re.IGNORECASE,
)
_SITE_NAME = re.compile(
    rf"[A-Za-z0-9-]+\.(?:(?:co|com|org|net|gov|ac|edu|me|ne|or|go)\.[a-z]{{2}}|(?:{_TOP}))", re.IGNORECASE
)
"""Matches a bare domain, as in Booking.com, ASP.NET or bbc.co.uk: usually the name of a firm or product."""
_OWN_SITE = re.compile(
    r"\b(?:web\s?site|web\s?page|home\s?page|blog|portfolio|url|domain|"
    r"my (?:own )?(?:site|page|shop|store|server|link)|webseite|"
    r"sitio|sito|site web|strona|сайт)(?: name)?(?: is| at| ist| es| est| è|:|=)*\W{0,2}$"
)
_INVITATION = re.compile(
    r"\b(?:see|visit|go to|goto|check out|look at|browse to|besuch|besuche|visita|visitez)\W{0,2}$"
)
_FILE_ENDINGS = (".pl", ".in", ".app", ".ai", ".net")  # also of domains; after a word such as "see", a file is likelier
_TRAILING = ".,;:!?'\"*)]>’”»…。，、！？）"
_IPV4 = re.compile(
    begins(r"(?<![\w.])") + r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}" + ends(r"(?!\w|-(?!(?:[0-9]{1,3}\.){3}[0-9])|\.[0-9])")
)
_NOBODYS = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local
            "192.0.2.0/24",  # documentation, with the next two
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved; broadcast and the masks of networks
        ),
    )
)
_RANGE = re.compile(r"(?:^|[^\w.-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}-$")  # its first address, before the second
# The words "server" and "over" and the flag -v do not announce a version.
_VERSION = re.compile(
    r"(?:(?<![\w-])v|(?<![^\W_])(?:versions?|versión|versão|versione|versie|wersj[aięe]|versiyon|sürüm|версия|версии|ver|"
    r"release|kernel|build|firmware|driver|patch|revision|rev|upgrade to|update to|upgraded to|updated to)"
    r"|(?<![^\W_])(?:chapters?|sections?|sec|clauses?|articles?|paragraphs?|para|figures?|fig|tables?|appendix|annex|part|step|"
    r"rule|requirement|req|item|point|heading|subsection|kapitel|abschnitt|absatz|artikel|ziffer|chapitre|capítulo|sección|"
    r"seção|capitolo|sezione|hoofdstuk|paragraaf|rozdział|avsnitt|bölüm|глава|главе|раздел|разделе|пункт|пункте)|[§章节節第]"
    r"|版本|バージョン|버전)(?: (?:is|number|no|nr))?\W{0,3}$"
    r"|(?<![^\W_])(?:chrome|chromium|edge?|opera|opr|firefox|safari|brave|electron|ios|ipados|macos|android|java)"
    r"[/ ]$"
    r"|(?<![^\W_])(?:up|down)(?:grad|dat)(?:e|ed|ing)\b.{1,40}\b(?:from|to) $"
)
"""Matches words for a version or a part of a document, names of browsers and systems, and upgrades between versions."""
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)"
    r"(?:[0-9A-Fa-f:]{1,38}:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:]{2,45})(?![\w:])"
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
        local = match["local"] or ""
        dots = local.rfind("..")  # an ellipsis is not part of the address
        if not local.endswith(".."):
            yield match.start() + (dots + 2 if dots >= 0 else 0), match.end(), 0.99
    for match in _UNSPACED_EMAIL.finditer(text):
        yield match.start(), match.end(), 0.9


def _disguised_emails(text: str) -> Found:
    for match in _BRACKETED_EMAIL.finditer(text):
        yield match.start(), match.end(), 0.9
    for match in _SPELT_EMAIL.finditer(text):
        capitals = match["at"].isupper() and not match["local"].isupper()
        in_one_piece = not any(map(str.isspace, match[0]))
        if (
            capitals
            or in_one_piece
            or _MAILBOX_DOMAIN.match(match["domain"])
            or _MAIL_WORD.search(before(text, match.start()))
        ):
            yield match.start(), match.end(), 0.8


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
    """Tell a web address from the name of a firm or product, and from the end of a sentence without a space."""
    domain = text[start:end]
    if not _SITE_NAME.fullmatch(domain):
        return True
    context = before(text, start)
    invited = _INVITATION.search(context) and domain.islower() and not domain.endswith(_FILE_ENDINGS)
    return bool(invited or _OWN_SITE.search(context))


def _url_end(match: re.Match[str]) -> int:
    """Return where the URL ends, without the sentence's punctuation and without an unmatched closing bracket."""
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
        if _is_somebodys(match[0]) and not _VERSION.search(context):
            yield match.start(), match.end(), 0.95


def _ipv6(text: str) -> Found:
    for match in _IPV6.finditer(text):
        address = match[0]
        if address.endswith(":") and not address.endswith("::"):
            address = address[:-1]
        if any(map(str.isdigit, address)) and _is_somebodys(address):
            yield match.start(), match.start() + len(address), 0.95


def _is_somebodys(address: str) -> bool:
    """Tell whether a text is an IP address that a person's device can have.

    Addresses of private networks count: together with a household or a firm they identify a person.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return _is_somebodys(str(ip.ipv4_mapped))
        made_from_mac = ip.packed[11:13] == b"\xff\xfe"
        return not (ip.is_loopback or ip.is_unspecified or ip.is_multicast or (ip.is_link_local and not made_from_mac))
    return not any(ip in network for network in _NOBODYS)


def _macs(text: str) -> Found:
    for match in _MAC.finditer(text):
        yield match.start(), match.end(), 0.95


_DISGUISED_HINT = (
    rf"(?i)\S\(a\)\S|[(\[{{<]\s?(?:{_AT_WORD})\s?[)\]}}>]"
    rf"|[\s_-](?:at|ät|arroba|chiocciola|собака)[\s_-].*(?:[\s_-](?:dot|punkt|punto|ponto|point|точка)[\s_-]|{_MAILBOX}\.)"
)
RULES = (
    PiiRule("SECRET", r"://[^/\s]*@|[?&#;][A-Za-z_]{3,}=", _credential_urls),
    PiiRule("EMAIL", r"@[^\s@]+\.", _emails),
    PiiRule("EMAIL", _DISGUISED_HINT, _disguised_emails),
    PiiRule("URL", r"://|(?i:www\.)|[A-Za-z0-9]\.[A-Za-z]{2}", _urls),
    PiiRule("IP", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", _ipv4, has_digit=True),
    PiiRule("IP", r"[0-9A-Fa-f]*:[0-9A-Fa-f]*:(?:[0-9A-Fa-f]|/[0-9])", _ipv6, has_digit=True),
    PiiRule("MAC", r"(?i:[0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}[:-][0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.)", _macs),
)
