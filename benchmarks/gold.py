"""How right the labels of conversations are, on the 200 gold conversations of ``training/gold``.

Run: ``python benchmarks/gold.py [--tiers static,cascade] [--errors] [--out docs/evaluation.md]``. Each set of
conversations gets its labels as the platform gives them: cleaned messages, the packs that ``conversations.jsonl``
names, nothing taught, no outcome that a source states. Prints Markdown tables, and writes them with date and machine to
``--out``; with ``--errors`` it also prints every wrong label. ``--development check`` measures a half of
``training/development`` instead; its labels are in the file of the conversations.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common.chats import SAMPLE, as_raw_messages
from common.intervals import share_with_interval
from common.pages import write_tables

from analytics_platform.analytics.summary import NEGATIVE_BELOW, POSITIVE_ABOVE
from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.quality.evaluate import expected_calibration_error
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES
from analytics_platform.transform.messages import clean_messages

TRAINING = Path(__file__).parents[1] / "training"
GOLD, DEVELOPMENT = TRAINING / "gold", TRAINING / "development"
PARTS = ("fit", "check")
"""Halves of the development conversations. Weights are fitted on the first; on the second none is, but it chose."""
TIERS = ("static", "cascade")
KINDS = ("topic", "intent", "sentiment", "urgency", "resolution")
SETS = {
    "sample": "sample, pack `demo`",
    "customer_service": "customer service, `general`",
    "other_languages": "other languages, `general` and `llm_assistant`",
    "llm_assistant": "chats with an assistant, `llm_assistant`",
}
OPPOSITE = 0.15
"""A sentiment beyond this distance of 0 has a sign that can be the opposite one: less than what reports count as a
feeling, so that a smaller wrong sign counts as wrong, too."""
AIMS = {"topic": 0.90, "intent": 0.88, "opposite": 0.95, "resolution": 0.90}
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
Rows = dict[str, dict[str, Any]]
"""By the id of a conversation: what is known of it."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiers", default=",".join(TIERS))
    parser.add_argument("--errors", action="store_true", help="print every wrong label")
    parser.add_argument("--development", choices=PARTS, help="measure this half of training/development")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    tiers = arguments.tiers.split(",")
    part = arguments.development
    conversations, gold = read_development(part) if part else read_gold()
    labels = {tier: label(conversations, tier) for tier in tiers}
    if arguments.errors:
        for tier in tiers:
            print_errors(tier, conversations, labels[tier], gold)
    text = tables(conversations, labels, gold)
    print(text)
    if arguments.out:
        write_tables(arguments.out, text, f"development {part}" if part else "gold")


def read_gold() -> tuple[Rows, dict[str, dict[str, str]]]:
    """Return the gold conversations with their messages, and the gold labels, both by id."""
    with (GOLD / "gold.csv").open(encoding="utf-8", newline="") as file:
        gold = {row["id"]: row for row in csv.DictReader(file)}
    return read_conversations(GOLD), gold


def read_development(part: str) -> tuple[Rows, dict[str, dict[str, str]]]:
    """Return half of the development conversations with their messages, and their labels, both by id.

    Args:
        part: One of ``PARTS``.
    """
    rows = {key: row for key, row in read_conversations(DEVELOPMENT).items() if row["part"] == part}
    return rows, {key: {kind: row[kind] for kind in KINDS} for key, row in rows.items()}


def read_conversations(folder: Path) -> Rows:
    """Return the conversations of a folder's ``conversations.jsonl`` with their messages, by id."""
    lines = (folder / "conversations.jsonl").read_text(encoding="utf-8").splitlines()
    conversations = {row["id"]: row for row in map(json.loads, lines)}
    sample = pq.read_table(SAMPLE, columns=["conversation_id", "message_id", "role", "text", "timestamp"])
    for row in conversations.values():
        if "sample_id" in row:
            said = sample.filter(pc.equal(sample["conversation_id"], row["sample_id"]))
            row["messages"] = said.sort_by("timestamp").select(["role", "text"]).to_pylist()
    return conversations


def label(conversations: Rows, tier: str) -> Rows:
    """Return the row of ``CONVERSATION_INSIGHTS`` of each conversation."""
    labelled: Rows = {}
    for pack in dict.fromkeys(row["pack"] for row in conversations.values()):
        engine = build_engine(tier, "cpu", (pack,))
        messages = clean_messages(as_raw_messages(as_chats([r for r in conversations.values() if r["pack"] == pack])))
        embeddings = engine.embed_messages(messages)
        insights = engine.label_messages(messages, embeddings)
        for row in engine.label_conversations(messages, embeddings, insights).to_pylist():
            labelled[row["conversation_id"]] = row
    return labelled


def as_chats(conversations: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the messages with text of conversations, a minute between two."""
    rows = [
        {
            "conversation_id": row["id"],
            "message_id": f"{row['id']}/{place:04}",
            "role": message["role"],
            "text": message["text"],
            "timestamp": START + dt.timedelta(minutes=place),
        }
        for row in conversations
        for place, message in enumerate(row["messages"])
        if message["text"]
    ]
    return pa.Table.from_pylist(rows)


def answer(row: Mapping[str, Any], kind: str) -> str:
    """Return the label of a kind; a sentiment as one of three classes, by the bounds of reports."""
    if kind == "topic":
        return str(row["primary_topic"])
    if kind != "sentiment":
        return str(row[kind])
    value = row["sentiment"]
    return "negative" if value < NEGATIVE_BELOW else "positive" if value > POSITIVE_ABOVE else "neutral"


def is_right(row: Mapping[str, Any], kind: str, truth: Mapping[str, str]) -> bool:
    """Tell whether a label is right; of the kind ``opposite`` whether the sentiment's sign is not the opposite one."""
    if kind == "opposite":
        return row["sentiment"] * SENTIMENT_VALUES[truth["sentiment"]] > -OPPOSITE
    return answer(row, kind) == truth[kind]


def confidence(row: Mapping[str, Any], kind: str) -> float:
    """Return the confidence in the label of a kind; NaN for a topic that the table does not state one of."""
    if kind == "topic":
        topics = [one["confidence"] for one in row["topics"] if one["label"] == row["primary_topic"]]
        return float(topics[0]) if topics else math.nan
    return float(row[f"{kind}_confidence"])


def tables(conversations: Rows, labels: Mapping[str, Rows], gold: Mapping[str, Mapping[str, str]]) -> str:
    """Return Markdown tables: right labels of each kind and tier, then confidence beside the share of right labels."""
    sets = {name: [row["id"] for row in conversations.values() if row["kind"] == name] for name in SETS}
    head = ["| | " + " | ".join([*SETS.values(), "all"]) + " |", "|---" * (len(SETS) + 2) + "|"]
    every = {**sets, "all": list(conversations)}
    titles = {"topic": "topic", "intent": "intent"}
    titles |= {"opposite": f"not the opposite sign of sentiment (beyond ±{OPPOSITE})"}
    feelings = f"below {NEGATIVE_BELOW} and above {POSITIVE_ABOVE}, as in reports"
    titles |= {"sentiment": f"sentiment in three classes ({feelings})", "urgency": "urgency"}
    titles |= {"resolution": "resolution"}
    lines = ["### Right labels, with a 95 % interval", "", *head]
    for kind, title in titles.items():
        for tier, rows in labels.items():
            cells = []
            for ids in every.values():
                right = np.mean([is_right(rows[one], kind, gold[one]) for one in ids])
                cells.append(share_with_interval(float(right), len(ids)))
            aim = f", aim {AIMS[kind]:.2f}" if kind in AIMS else ""
            lines.append(f"| {title}, {tier}{aim} | {' | '.join(cells)} |")
    lines += ["", "### Mean confidence, and calibration error (15 bins)", "", *head]
    for kind in KINDS:
        for tier, rows in labels.items():
            cells = []
            for ids in every.values():
                sure = np.array([confidence(rows[one], kind) for one in ids])
                is_hit = np.array([is_right(rows[one], kind, gold[one]) for one in ids])
                stated = ~np.isnan(sure)
                error = expected_calibration_error(sure[stated], is_hit[stated])
                cells.append(f"{sure[stated].mean():.2f}, {error:.3f}")
            lines.append(f"| {kind}, {tier} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def print_errors(tier: str, conversations: Rows, labels: Rows, gold: Mapping[str, Mapping[str, str]]) -> None:
    """Print a line for each wrong label: kind, the label and the gold label, confidence and reasons."""
    for kind in KINDS:
        for one in conversations:
            row, truth = labels[one], gold[one]
            if not is_right(row, kind, truth):
                reasons = [
                    f"{' '.join(reason['words'])}{'/' + reason['rule'] if reason['rule'] else ''}"
                    for reason in row["reasons"]
                    if reason["kind"] == kind
                ]
                value = f" {row['sentiment']:+.2f}" if kind == "sentiment" else ""
                print(
                    f"{tier} {kind} {one}: {answer(row, kind)}{value}, gold {truth[kind]}, "
                    f"{confidence(row, kind):.2f}, {'; '.join(reasons)}"
                )


if __name__ == "__main__":
    main()
