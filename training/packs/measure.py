"""Measure packs of labels on public data sets: the share of ``other``, and accuracy against mapped gold labels.

``mapping.yaml`` maps gold labels to topics. Each data set is ``<folder>/<set>/dev.parquet``; its columns are text and
label, or turns of conversations. Labels are those of conversations, as the platform stores them.

    python training/packs/measure.py FOLDER [--tier static]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.taxonomies.taxonomy import OTHER
from analytics_platform.insights.tiers.examples import EXAMPLES, as_messages

MOST = 3_000
"""Most texts or conversations of one data set: 3,000 give an interval of at most 1.8 points to either side."""
SEED = 20261129
MAPPING = Path(__file__).with_name("mapping.yaml")
_SPEAKERS = ("user", "assistant", "agent")


def main() -> None:
    """Print a row of a Markdown table for each pack and data set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tier", default="static")
    arguments = parser.parse_args()
    for pack, sets in yaml.safe_load(MAPPING.read_text(encoding="utf-8")).items():
        for name, mapping in sets.items():
            sys.stdout.write(measure(arguments.folder, arguments.tier, pack, name, mapping) + "\n")
            sys.stdout.flush()


def measure(folder: Path, tier: str, pack: str, name: str, mapping: dict[str, list[str]]) -> str:
    """Return the row of one pack on one data set."""
    found = read(folder, name)
    if mapping:
        known = [any(label in mapping for label in labels) for labels in found["gold"]]
        found = found[known]
    found = found.sample(min(MOST, len(found)), random_state=SEED)
    topics = label(found, pack, tier)
    named = np.array([topic != OTHER for topic in topics])
    cells = [pack, name, f"{len(found):,}", f"{1 - named.mean():.2f}"]
    if mapping:
        right = np.array(
            [
                any(topic in mapping.get(label, ()) for label in labels)
                for topic, labels in zip(topics, found["gold"], strict=True)
            ]
        )
        cells += [f"{right.mean():.2f}", f"{right[named].mean():.2f}"]
    else:
        cells += ["", ""]
    return f"| {' | '.join(cells)} |"


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return columns ``gold`` (list of labels) and ``messages`` (list of role and text) of a data set."""
    if name == "stripe":
        turns = pd.read_parquet(folder / "irc_support_chats" / "dev.parquet")
        turns = turns[turns["channel"] == name]
    else:
        turns = pd.read_parquet(folder / name.removesuffix("_out_of_scope") / "dev.parquet")
        if name == "irc_support_chats":
            turns = turns[turns["channel"] != "stripe"]
    if "conversation_id" not in turns:
        messages = [[{"role": "user", "text": text}] for text in turns["text"]]
        return pd.DataFrame({"gold": [[label] for label in turns["label"]], "messages": messages})
    turns = turns[turns["role"].isin(_SPEAKERS)].sort_values(["conversation_id", "turn_index"])
    rows = []
    for _, turn in turns.groupby("conversation_id", sort=True):
        messages = turn[["role", "text"]].to_dict("records")
        rows.append({"gold": gold(name, turn), "messages": messages})
    return pd.DataFrame(rows)


def gold(name: str, turns: pd.DataFrame) -> list[str]:
    """Return the gold labels of a conversation; none if it has several topics of which one must be chosen."""
    if name == "sgd_dialogues":
        topics = set(turns["gold_topic"])
        return list(topics) if len(topics) == 1 else []
    if name == "tau_bench_airline":
        return str(turns["gold_actions"].iloc[0]).replace("|", ",").replace(" ", "").split(",")
    return ["order"] if name == "taskmaster4_coffee" else []


def label(found: pd.DataFrame, pack: str, tier: str) -> list[str]:
    """Return the primary topic of each conversation."""
    engine = build_engine(tier, "cpu", (pack,))
    items = [f"{place:06}" for place in range(len(found))]
    rows = [
        {"item": item, "kind": "topic", "label": "", "messages": messages, "source": ""}
        for item, messages in zip(items, found["messages"], strict=True)
    ]
    messages = as_messages(EXAMPLES.from_rows(rows))
    embeddings = engine.embed_messages(messages)
    labels = engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings))
    by_item = dict(zip(labels["conversation_id"].to_pylist(), labels["primary_topic"].to_pylist(), strict=True))
    return [by_item[item] for item in items]


if __name__ == "__main__":
    main()
