"""Make the openings that teach the shipped packs, from labelled conversations.

Reads ``conversations.jsonl`` (its NOTICE says where it comes from) and writes ``insights/data/openings.parquet``: what
the customer of each conversation writes first, with pack, topic and intent. The same conversations give the same bytes.

    python training/conversations/build.py                # writes the openings
    python training/conversations/build.py --add F G ...  # first adds labelled conversations to conversations.jsonl

A file that is added is JSON lines in the form of ``conversations.jsonl``, or CSV with the id of a conversation of the
sample, its labels, and in ``unsure`` the labels that its reader doubted. Conversations that resemble one of
``training/gold`` or ``training/development``, or an earlier one, are left out, so that these two still tell how good
the packs are.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analytics_platform.insights.tiers.examples import OPENINGS_PATH
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.transform.messages import clean_messages

FOLDER = Path(__file__).parent
CONVERSATIONS = FOLDER / "conversations.jsonl"
sys.path.append(str(FOLDER.parents[1] / "benchmarks"))
from common.chats import as_raw_messages  # noqa: E402  (its folder is not a package)
from gold import DEVELOPMENT, GOLD, KINDS, as_chats, read_conversations  # noqa: E402

ENOUGH_WORDS = 5
"""Words by which an opening has said something; a greeting alone has fewer."""
ENOUGH_IDEOGRAMS = 6
"""Characters of scripts without spaces that say as much."""
IDEOGRAM = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af]")
ALIKE = 0.75
"""Cosine of static vectors of openings from which two conversations are alike. Of the gold and development openings,
one in twenty has a cosine above 0.74 to another one; of the written ones, one in fifty has one above 0.56 to these."""
SAME = 0.97
"""Cosine from which an opening repeats an earlier one of its pack."""
LONG_PHRASE = 6
"""Words of a phrase that two conversations do not share by chance."""
SMALL_TALK, ENOUGH_SMALL_TALK = "community", 8
"""Topic of jokes and remarks, and words of an opening that teaches it. Shorter ones, such as "lol", resemble any text
without a meaning, which then had this topic instead of ``other``."""
SCENARIO = re.compile(r"airline_\d+(?=_)")
OPENINGS = pa.schema(
    [pa.field(name, pa.string(), nullable=name == "topic") for name in ("pack", "topic", "intent", "text")]
)
Rows = list[dict[str, Any]]


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", nargs="*", type=Path, default=[], help="files of labelled conversations")
    if files := parser.parse_args().add:
        add(files)
    table = openings_of(list(read_conversations(FOLDER).values()))
    pq.write_table(table, OPENINGS_PATH, compression="zstd", compression_level=19)
    print(f"{OPENINGS_PATH.name}: {table.num_rows} rows, {OPENINGS_PATH.stat().st_size / 1000:.0f} kB")


def add(files: Sequence[Path]) -> None:
    """Add the conversations of files that resemble none of the measured and none of the earlier conversations."""
    lines = CONVERSATIONS.read_text(encoding="utf-8").splitlines() if CONVERSATIONS.exists() else []
    ids = {json.loads(line)["id"] for line in lines}
    new = [row for file in files for row in read_labelled(file) if row["id"] not in ids]
    CONVERSATIONS.write_text("".join(f"{line}\n" for line in [*lines, *map(as_line, new)]), encoding="utf-8")
    rows = list(read_conversations(FOLDER).values())
    measured = [row for folder in (GOLD, DEVELOPMENT) for row in read_conversations(folder).values()]
    dropped = resembling(rows, measured)
    kept = [line for line in [*lines, *map(as_line, new)] if json.loads(line)["id"] not in dropped]
    CONVERSATIONS.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    print(f"{len(kept)} conversations; left out: {len(dropped)}")


def read_labelled(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the labelled conversations of a file; of those of the sample ids and labels."""
    with file.open(encoding="utf-8", newline="") as opened:
        if file.suffix != ".csv":
            yield from (json.loads(line) for line in opened if line.strip())
            return
        for row in csv.DictReader(opened):
            labels = {kind: row[kind] for kind in KINDS}
            doubted = {"unsure": row["unsure"].split()} if row["unsure"] else {}
            name = row["id"]
            yield {"id": name, "kind": "sample", "pack": "demo", **labels, **doubted, "sample_id": name}


def as_line(row: Mapping[str, Any]) -> str:
    """Return a conversation as a line of JSON."""
    return json.dumps(row, ensure_ascii=False)


def resembling(rows: Rows, measured: Rows) -> set[str]:
    """Return the ids of conversations that resemble a measured one, or repeat the opening of an earlier one."""
    encode = static_encoder().encode
    vectors = encode([opening(said(row)) for row in rows])
    alike = (vectors @ encode([opening(said(row)) for row in measured]).T).max(axis=1) >= ALIKE
    phrases = {phrase for row in measured for phrase in long_phrases(said(row))}
    scenarios = {scenario(row) for row in measured} - {""}
    shared = np.array([scenario(row) in scenarios or not phrases.isdisjoint(long_phrases(said(row))) for row in rows])
    packs = np.array([row["pack"] for row in rows])
    earlier = np.tril((vectors @ vectors.T >= SAME) & (packs[:, None] == packs), -1).any(axis=1)
    print(f"alike {alike.sum()}, a shared phrase {shared.sum()}, repeated {earlier.sum()}")
    return {row["id"] for row, drop in zip(rows, alike | shared | earlier, strict=True) if drop}


def scenario(row: Mapping[str, Any]) -> str:
    """Return the scenario that a conversation of tau-bench plays, once in up to four conversations; else nothing."""
    played = SCENARIO.match(row.get("sample_id", ""))
    return played[0] if played else ""


def said(row: Mapping[str, Any]) -> list[str]:
    """Return the customer's texts."""
    return [one["text"] for one in row["messages"] if one["role"] == "user" and one["text"]]


def long_phrases(texts: Iterable[str]) -> set[tuple[str, ...]]:
    """Return all phrases of ``LONG_PHRASE`` words, and of twice as many characters of scripts without spaces."""
    phrases: set[tuple[str, ...]] = set()
    for text in texts:
        for words, long in (
            (re.findall(r"\w+", text.lower()), LONG_PHRASE),
            (IDEOGRAM.findall(text), 2 * LONG_PHRASE),
        ):
            phrases |= {tuple(words[start : start + long]) for start in range(len(words) - long + 1)}
    return phrases


def opening(texts: Sequence[str]) -> str:
    """Return the first texts up to one by which something has been said, a line each."""
    lines: list[str] = []
    for text in texts:
        lines.append(text)
        if sum(len(line.split()) for line in lines) >= ENOUGH_WORDS or len(IDEOGRAM.findall(text)) >= ENOUGH_IDEOGRAMS:
            break
    return "\n".join(lines)


def openings_of(rows: Rows) -> pa.Table:
    """Return the openings of conversations as the platform cleans them, with pack, topic and intent."""
    cleaned = clean_messages(as_raw_messages(as_chats(rows))).select(["conversation_id", "role", "text"])
    texts: dict[str, list[str]] = {row["id"]: [] for row in rows}
    for message in cleaned.to_pylist():
        if message["role"] == "user" and message["text"]:
            texts[message["conversation_id"]].append(message["text"])
    taught = [
        {
            "pack": row["pack"],
            "topic": topic_of(row, opening(texts[row["id"]])),
            "intent": row["intent"],
            "text": opening(texts[row["id"]]),
        }
        for row in rows
        if texts[row["id"]]
    ]
    return pa.Table.from_pylist(taught, schema=OPENINGS)


def topic_of(row: Mapping[str, Any], text: str) -> str | None:
    """Return the topic that an opening teaches; None for short small talk."""
    return None if row["topic"] == SMALL_TALK and len(text.split()) < ENOUGH_SMALL_TALK else row["topic"]


if __name__ == "__main__":
    main()
