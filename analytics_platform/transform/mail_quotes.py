"""Separates what the sender of a mail wrote from quoted mails and signatures.

The words by which clients of 13 languages introduce a quoted mail come from ``mail-parser-reply``. Its own split is
not used: it ends the text at a list item with a hyphen and at a line that begins with "Thank you,", and it loses the
answers between quoted lines. The rules of this module look at whole lines and need the line ends of the text.
"""
# ruff: noqa: RUF001, RUF002  (words of many scripts)

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from functools import cache

from mailparser_reply.constants import MAIL_LANGUAGES
from mailparser_reply.parser import EmailMessage

from analytics_platform.transform.html_text import QUOTE_MARK

_MAIL_LABELS = (
    "Sent|Subject|Gesendet|Betreff|Envoyé|Objet|Enviad[oa](?: el| em)?|Asunto|Assunto|Inviato|Oggetto|Verzonden"
    "|Onderwerp|Skickat|Ämne|Sendt|Emne|Odesláno|Předmět|Wysłano|Temat|Отправлено|Тема|Gönderen|Konu|发送时间|主题|寄件者|主旨"
    "|送信日時|件名|보낸 ?날짜|제목"
)
"""Labels that the headers of a mail have, and a form with the places of a journey (From, To, Date) has not."""
_FORWARDED = (
    "original message|original appointment|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht"
    "|message d'origine|message transféré|mensaje original|mensaje reenviado|messaggio originale|messaggio inoltrato"
    "|oorspronkelijk bericht|doorgestuurd bericht|mensagem original|mensagem encaminhada|ursprungligt meddelande"
    "|vidarebefordrat meddelande|oprindelig meddelelse|videresendt meddelelse|původní zpráva|přeposlaná zpráva"
    "|wiadomość oryginalna|przekazana wiadomość|исходное сообщение|пересылаемое сообщение|orijinal mesaj"
    "|원본 메시지|转发的邮件|原始邮件|元のメッセージ"
)
_SENT_FROM = (
    "sent (?:from|via|with|using)|get outlook for|von meinem|gesendet (?:von|mit|aus)|diese nachricht wurde"
    "|envoyé (?:de|depuis)|télécharger outlook|obtenir outlook|enviado (?:desde|do|via|a partir)|obtener outlook"
    "|inviato da|verzonden vanaf|verstuurd vanaf|skickat från|sendt fra|odesláno z|wysłane? z|отправлено (?:с|из)"
    "|iphone'?\\s?(?:umdan|から)|从我的"
)
_DEVICE = (
    "iphone|ipad|android|samsung|galaxy|huawei|xiaomi|redmi|pixel|oneplus|oppo|honor|motorola|nokia|sony|htc|blackberry"
    "|windows|outlook|mail|gmx|web\\.de|aol|proton|thunderbird|mobil|phone|handy|tablet|gerät|téléphone|móvil|celular"
    "|telefon|cellulare|телефон|手机|スマートフォン"
)
_FORMULAS = (
    "(?:best|kind|kindest|warm|warmest|with kind|with best) regards|regards|best wishes|all the best|sincerely"
    "|yours (?:sincerely|faithfully|truly)|sincerely yours|cheers"
    "|mit (?:freundlichen|freundlichem|besten|lieben|herzlichen) grü(?:ß|ss)e?n?|mfg"
    "|(?:viele|beste|liebe|freundliche|schöne) grü(?:ß|ss)e|(?:bien )?cordialement|bien à vous|meilleures salutations"
    "|sincères salutations"
    "|(?:un )?(?:cordial )?saludos?(?: cordiales?)?|atentamente|cordialmente|cordiali saluti|distinti saluti"
    "|met vriendelijke groet(?:en)?|hartelijke groet(?:en)?|atenciosamente|com os melhores cumprimentos|cumprimentos"
    "|(?:med )?vänliga hälsningar|med vänlig hälsning|mvh|(?:med )?venlig(?:e)? hilsen(?:er)?|s pozdravem"
    "|z poważaniem|pozdrawiam|с уважением|saygılarımla|此致|よろしくお願いいたします"
)

_SENDER = "From|Von|De|Da|Van|Från|Fra|Od|От|发件人|差出人|보낸 ?사람"

_RULED_OFF = (
    rf"[-_=*]{{2,}} ?(?:{_FORWARDED}) ?[-_=*]*|begin forwarded message:|anfang der weitergeleiteten (?:e-)?mail:"
)
_REPLY_ABOVE = r"#+ ?-.{1,80}- ?#+|-{2,} ?(?:please )?(?:reply|type your reply) above this line ?-{2,}"

MAY_BE_MAIL = (
    rf"(?mi)^ ?>|{QUOTE_MARK}|(?:\d[:.h]\d\d|@)[^\n]*(?:\n[^\n]*)?[:：][ \t\r]*$|^--[ \t]?\r?$"
    rf"|^[ \t]*(?:{_RULED_OFF}|{_REPLY_ABOVE})"
    rf"|^[ \t*]*(?:{_MAIL_LABELS}|{_SENDER})\*? ?[:：]|^[ \t]*(?:{_SENT_FROM})|^[ \t]*(?:{_FORMULAS})[ \t,.!]*\r?$"
)
"""A text of several lines that does not match this pattern, of RE2, holds no quoted mail and no signature."""

_WROTE = "wrote|schrieb|écrit|escribió|scritto|schreef|escreveu|skrev|napisał\\(a\\)"
_FLATTENED_SENT = "Sent|Date|Gesendet|Datum|Envoyé|Enviado|Inviato|Verzonden"
_FLATTENED_HEADERS = (
    rf"\b(?:From|Von|De|Da|Van) ?: [^\n]{{3,80}}? (?:{_FLATTENED_SENT}) ?: "
    r"[^\n]{5,80}? (?=(?:To|An|À|Para|A|Aan|Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp) ?: )"
)
FLATTENED = (
    r"(?:wrote|écrit|escribió|scritto|escreveu|\(a\)) ?: ?>|(?:schrieb|schreef|skrev) .*: ?>|--- ?[A-Z]"
    rf"|(?:{_FLATTENED_SENT}) ?: .* ?: |Sent from my i"
)
"""A text of one line that does not match this pattern, of RE2, is no mail whose line ends a program dropped."""
# In the order in which they are put on lines of their own.
_FLATTENED_PARTS = [
    re.compile(pattern)
    for pattern in (
        rf"-{{3,}} ?(?i:{_FORWARDED}) ?-{{3,}}",
        rf"\b(?:On|Am|Le|El|Il|Op|Em|Den|Dnia) (?=[^>\n]{{0,60}}\d)[^\n]{{5,160}}?(?:{_WROTE})[^:\n]{{0,80}}:(?= ?>)",
        _FLATTENED_HEADERS,
        r"\b(?:To|An|À|Para|A|Aan) ?: [^\n]{1,80}? (?=(?:Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp) ?: )",
        r"\bSent from my (?:iPhone|iPad)\.?$",
    )
]

_DIVIDER_LINE = re.compile(rf"\s*(?:{_RULED_OFF}|{_REPLY_ABOVE})\s*", re.IGNORECASE)
_RULE_LINE = re.compile(r"\s*_{10,}\s*")
_LABEL_LINE = re.compile(r"[\s>*]*[^\W\d_][\w ]{0,20}\*?\s?[:：]")
_MAIL_LABEL_LINE = re.compile(rf"[\s>*]*(?:{_MAIL_LABELS})\*?\s?[:：]", re.IGNORECASE)
_QUOTED_LINE = re.compile(rf" ?>|\s*{QUOTE_MARK}")
_PYTHON_PROMPT = re.compile(r"\s*>>> ")
_SIGNATURE_LINE = re.compile(r"--[ \t]?")
_FORMULA_LINE = re.compile(rf"\s*(?:{_FORMULAS})[\s,.!]*", re.IGNORECASE)
_DEVICE_WORD = re.compile(_DEVICE, re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}[:.h]\d{2}")
_DATE = re.compile(r"(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2}")
_ADDRESS = re.compile(r"\S@\S")
_SENDER_ADDRESS = re.compile(r"[<(\[][^\s<>()@]+@[^\s<>()@]+[>)\]]")
_CONTACT = re.compile(r"\S+@\S|https?://|www\.|[+(]?(?:\d[\s()/.-]{0,2}){7}")
_NAME_LINE = re.compile(r"\s*\*?[^\W\d_a-z].{0,60}")

_NOTHING = string.punctuation + string.whitespace + "\u00a0"

_LONGEST_LINE = 200
"""Characters of a line that can introduce a quoted mail: the library's patterns take quadratic time in its length."""
_LONGEST_SIGNATURE, _LONGEST_CLOSING = 15, 8
"""Number of lines."""
_LONGEST_NOTE = 100
"""Characters of a line such as ``Sent from my phone``."""
_MOST_NAME_WORDS = 5
_FEWEST_LABELS = 2

Span = tuple[int, int]


def split_quotes(text: str) -> tuple[str, str]:
    """Separate what the sender wrote from quoted mails and signatures.

    Args:
        text: A text with its line ends, as ``markup.split_markup`` returns it.

    Returns:
        What the sender wrote, and the rest; both keep the order of their lines. When the sender wrote nothing, as in a
        forwarded mail without a comment: the whole text, and nothing.
    """
    of_lines = text.replace("\r", "\n") if "\n" in text else _unflatten(text)
    lines = [line for line in of_lines.split("\n") if line.strip()]
    quoted = _quoted_lines(lines)
    own = [number for number in range(len(lines)) if number not in quoted]
    quoted |= _signature_lines(lines, own)
    if not quoted or not any(_says_something(lines[number]) for number in own if number not in quoted):
        return text, ""
    said = [line for number, line in enumerate(lines) if number not in quoted]
    return "\n".join(said), "\n".join(lines[number] for number in sorted(quoted))


def _unflatten(text: str) -> str:
    """Put the parts of a mail whose line ends are lost on lines of their own."""
    for pattern in _FLATTENED_PARTS:
        text = pattern.sub(r"\n\g<0>\n", text)
    return text


def _says_something(text: str) -> bool:
    """Tell whether a text holds more than blanks and punctuation; an emoji is something."""
    return bool(text.strip(_NOTHING))


def _quoted_lines(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines that are quoted or introduce a quoted mail."""
    arrows = {number for number, line in enumerate(lines) if _QUOTED_LINE.match(line)}
    if all(_PYTHON_PROMPT.match(lines[number]) for number in arrows):  # what a programmer typed
        arrows = set()
    quoted = set(arrows)
    for start, end in sorted(_introductions(lines)):
        quoted |= set(range(start, end))
        if end not in arrows:  # the quoted mail has no arrows: it is all that follows
            above = start - 1 if start and _RULE_LINE.fullmatch(lines[start - 1]) else start
            return quoted | set(range(above, len(lines)))
    return quoted


def _introductions(lines: Sequence[str]) -> set[Span]:
    """Return the first line, and the line after the last, of everything that introduces a quoted mail."""
    short = [line if len(line) <= _LONGEST_LINE else "" for line in lines]
    dividers = {(number, number + 1) for number, line in enumerate(short) if _DIVIDER_LINE.fullmatch(line)}
    return {*dividers, *_attributions(short), *_library_headers(short)}


def _attributions(lines: Sequence[str]) -> Iterator[Span]:
    """Find lines such as ``пн, 17 июн. 2024 г. в 09:12, Anna <anna@mail.example>:``, in any language.

    A date, a time and the colon at the end are not enough, because a list of appointments has them, too: an address
    must stand in the line, or the next line must be a quoted one.
    """
    for end, line in enumerate(lines[:-1], 1):
        if not line.rstrip().endswith((":", "：")):
            continue
        for start in (end - 1, end - 2):
            whole = " ".join(lines[max(start, 0) : end])
            if not (_CLOCK.search(whole) and _DATE.search(whole)):
                continue
            if _SENDER_ADDRESS.search(whole) or _QUOTED_LINE.match(lines[end]):
                yield start, end
                break


@cache
def _header_pattern() -> re.Pattern[str]:
    pattern: re.Pattern[str] = EmailMessage(text="", languages=list(MAIL_LANGUAGES)).HEADER_REGEX
    return pattern


def _library_headers(lines: Sequence[str]) -> Iterator[Span]:
    """Find the introductions that the library knows, without those that a message of a chat can hold, too."""
    text = "\n".join(lines)
    for match in _header_pattern().finditer(text):
        found = match[0].lstrip("\n").split("\n")
        while not _LABEL_LINE.match(found[0]) and _header_pattern().match("\n".join(found[1:])):
            found.pop(0)  # a line of the sender that begins like an introduction, such as "Il" or "On"
        end = text.count("\n", 0, match.end()) + 1
        start = end - len(found)
        quote_follows = end < len(lines) and _QUOTED_LINE.match(lines[end]) is not None
        if _is_mail_header(found) or quote_follows:
            yield start, end


def _is_mail_header(lines: Sequence[str]) -> bool:
    """Tell whether lines are from a mail.

    ``On 5 May she wrote:`` lacks the time and the address, and ``From: Berlin, To: Hamburg, Date: 5 June`` an address
    or a label that only mails have.
    """
    labelled = [line for line in lines if _LABEL_LINE.match(line)]
    if len(labelled) >= _FEWEST_LABELS:
        return any(_ADDRESS.search(line) or _MAIL_LABEL_LINE.match(line) for line in labelled)
    whole = " ".join(lines)
    return any(pattern.search(whole) for pattern in (_ADDRESS, _CLOCK)) or "-----" in whole


def _signature_lines(lines: Sequence[str], own: Sequence[int]) -> set[int]:
    """Return the numbers of the sender's own lines that are a signature.

    Args:
        lines: All lines.
        own: Numbers of the lines that are neither quoted nor blank.
    """
    longest = max(_LONGEST_SIGNATURE, _LONGEST_CLOSING)
    signature: set[int] = set()
    for place in range(max(len(own) - longest - 1, 0), len(own)):
        if _begins_signature(lines[own[place]], [lines[number] for number in own[place + 1 :]]):
            signature.update(own[place:])
            break
    for number in reversed(own):
        if number not in signature and not _is_sent_from(lines[number]):
            break
        signature.add(number)
    return signature


def _begins_signature(line: str, following: Sequence[str]) -> bool:
    """Tell whether a line rules off the signature, or is a formula above a name.

    Two hyphens without the blank of RFC 3676 may rule off a paragraph: a name must follow.
    """
    if _SIGNATURE_LINE.fullmatch(line):
        return 0 < len(following) <= _LONGEST_SIGNATURE and (line != "--" or _is_name(following[0]))
    if len(line) > _LONGEST_LINE or not _FORMULA_LINE.fullmatch(line):
        return False
    return 0 < len(following) <= _LONGEST_CLOSING and _is_closing(following)


def _is_closing(lines: Sequence[str]) -> bool:
    """Tell whether the lines after a formula such as ``Best regards,`` are a name and its contact lines."""
    named = [line for line in lines if not _is_sent_from(line)]
    return bool(named) and _is_name(named[0]) and not any(line.rstrip().endswith(("?", "!")) for line in named)


def _is_name(line: str) -> bool:
    """Tell whether a line can be a name: a few words that begin with a capital and are no sentence."""
    if _CONTACT.match(line.strip()):
        return True
    few_words = len(line.split()) <= _MOST_NAME_WORDS and not line.rstrip().endswith((".", "?", "!", ":"))
    return few_words and _NAME_LINE.fullmatch(line) is not None


def _is_sent_from(line: str) -> bool:
    return len(line) <= _LONGEST_NOTE and bool(_sent_from_pattern().match(line) and _DEVICE_WORD.search(line))


@cache
def _sent_from_pattern() -> re.Pattern[str]:
    from_library = [words["sent_from"] for words in MAIL_LANGUAGES.values() if words.get("sent_from")]
    return re.compile(rf"\s*(?:{'|'.join([_SENT_FROM, *from_library])})", re.IGNORECASE)
