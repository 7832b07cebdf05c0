"""Collect the texts that the static vectors of many languages are fitted on; see README.md for sources and licences."""

from __future__ import annotations

import argparse
import json
import random
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_PLACEHOLDER = re.compile(
    r"\{\{?[^{}]*\}?\}|%\(?\w*\)?[sd@]|</?[^>]{1,80}>|\$t?\([^)]*\)|&\w+;|\[%key:[^\]]*\]|[*_`]{1,3}"
)
_URL = re.compile(r"https?://\S+")
_LITERAL = re.compile(r'"((?:[^"\\\n]|\\.){2,400})"|\'((?:[^\'\\\n]|\\.){2,400})\'')
_LANGUAGE = re.compile(
    r"(?:^|[/.])([a-z]{2,3}(?:[-_]?[A-Z][A-Za-z]{1,3}|[-_]\d{3})?)(?:-[0-9a-f]{32})?\.(?:json(?:\.js)?|m?js|ts)$"
)
_FOLDERS = re.compile(
    r"transl|locale|lang|i18n|/dist/[a-z]{2}-[A-Z]{2}\.mjs$|/lib/[a-z]{2}_[A-Z]{2}\.js$", re.IGNORECASE
)
_LONGEST = 300
"""Most characters of a text."""
_DATE_FORM = re.compile(r"[hH]:mm|MMM|d日")
_ENGLISH_SETS = ("irc_support_chats", "goemotions", "taskmaster4_coffee", "tau_bench_airline")
_WORDNET_SHARE = 0.45
_FEWEST_WORDS = 4
_SPAN_SHARE = {"en": 0.9, "other": 0.35}


def clean(text: str) -> str:
    """Return a text without placeholders, markup and addresses."""
    return " ".join(_PLACEHOLDER.sub(" ", _URL.sub(" ", text)).split())[:_LONGEST]


def is_language(text: str) -> bool:
    """Tell whether a text is written for people: mostly letters, and no identifier."""
    letters = sum(character.isalpha() for character in text)
    if letters < 2 or letters < 0.6 * len(text.replace(" ", "")):
        return False
    return not re.fullmatch(r"[\w.:/\-]*[_./:\-\d][\w.:/\-]*|[a-z]+[A-Z]\w*", text, re.ASCII)


def leaves(value: object) -> Iterator[str]:
    """Yield the strings of a decoded JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)


def literals(code: str) -> Iterator[str]:
    """Yield the string literals of JavaScript."""
    for match in _LITERAL.finditer(code):
        text = match[1] if match[1] is not None else match[2]
        if "\\u" in text or "\\x" in text:
            text = re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1] or m[2], 16)), text)
        yield re.sub(r"\\(.)", lambda m: " " if m[1] in "nrt" else m[1], text)


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of an archive's translation files."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if _FOLDERS.search(name) and _LANGUAGE.search(name):
                    yield name, archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and _FOLDERS.search(member.name) and _LANGUAGE.search(member.name):
                    content = archive.extractfile(member)
                    if content is not None:
                        yield member.name, content.read()


def package_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of an archive's translations."""
    for name, content in members(path):
        code = content.decode("utf-8", "replace")
        match = _LANGUAGE.search(name)
        language = match[1] if match else ""
        texts = leaves(json.loads(code)) if name.endswith(".json") else literals(code)
        for text in texts:
            yield language[:2], text


def wordnet_texts(folder: Path, rng: random.Random) -> Iterator[str]:
    """Yield WordNet's examples, and some of its definitions and words."""
    for name in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (folder / name).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("  "):  # the licence
                continue
            fields, _, gloss = line.partition(" | ")
            yield from re.findall(r'"([^"]{8,})"', gloss)
            if rng.random() < _WORDNET_SHARE:
                yield re.sub(r'"[^"]*"', "", gloss).strip(" ;")
                word = re.sub(r"\(.*\)", "", fields.split()[4]).replace("_", " ")
                if word.islower():
                    yield word


def spans(rows: list[tuple[str, str]], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield one to five consecutive words of many texts: short texts say most about single words."""
    for language, text in rows:
        words = text.split()
        if len(words) >= _FEWEST_WORDS and rng.random() < _SPAN_SHARE["en" if language == "en" else "other"]:
            count = min(len(words), rng.choice((1, 2, 2, 3, 3, 4, 5)))
            start = rng.randrange(len(words) - count + 1)
            yield language, " ".join(words[start : start + count]).strip('.,;:"()')


def collect(packages: Path, wordnet: Path, data: Path, most: int) -> list[tuple[str, str, bool]]:
    """Return distinct texts.

    Args:
        packages: Folder with packages whose translations are read.
        wordnet: Folder with WordNet's data files.
        data: Folder with the public data sets.
        most: Most texts of a language from packages; of English three times as many.

    Returns:
        Language, text, and whether the text is of a kind that every language has.
    """
    rng = random.Random(0)
    by_language: dict[str, dict[str, None]] = {}
    for path in sorted(packages.iterdir()):
        if path.suffix in (".whl", ".tgz"):
            for language, text in package_texts(path):
                by_language.setdefault(language, {}).setdefault(clean(text))
    parallel = []
    for language, texts in sorted(by_language.items()):
        usable = [text for text in texts if is_language(text)]
        parallel += [(language, text) for text in rng.sample(usable, min(len(usable), _share(language, most)))]
    table = pq.read_table(data / "lingua_langid" / "dev.parquet")
    labels, texts = table["label"].to_pylist(), table["text"].to_pylist()
    parallel += [(label, clean(text)) for label, text in zip(labels, texts, strict=True)]
    english = [("en", clean(text)) for name in _ENGLISH_SETS for text in _read_texts(data / name) if text]
    english += [("en", clean(text)) for text in wordnet_texts(wordnet, rng)]
    rows = [(*row, True) for row in parallel]
    rows += [(*row, False) for row in [*english, *spans([*parallel, *english], rng)]]
    distinct: dict[str, tuple[str, bool]] = {}
    for language, text, is_parallel in rows:
        if is_language(text) and not _DATE_FORM.search(text):
            distinct.setdefault(text, (language, is_parallel))
    return [(language, text, is_parallel) for text, (language, is_parallel) in distinct.items()]


def _share(language: str, most: int) -> int:
    return most * (3 if language == "en" else 1)


def _read_texts(folder: Path) -> list[str]:
    texts: list[str] = pq.read_table(folder / "dev.parquet", columns=["text"])["text"].to_pylist()
    return texts


def main() -> None:
    """Write a Parquet file with the columns language, text and parallel, in random order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", type=Path, help="folder with the packages that README.md lists")
    parser.add_argument("wordnet", type=Path, help="folder with WordNet's files data.noun, data.verb, …")
    parser.add_argument("data", type=Path, help="folder with the public data sets that README.md lists")
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, default=5000, help="most texts of a language from packages")
    options = parser.parse_args()
    rows = collect(options.packages, options.wordnet, options.data, options.most)
    random.Random(1).shuffle(rows)
    languages, texts, parallel = zip(*rows, strict=True)
    pq.write_table(pa.table({"language": languages, "text": texts, "parallel": parallel}), options.out)


if __name__ == "__main__":
    main()
