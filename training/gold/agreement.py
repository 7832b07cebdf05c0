"""Compare two readings of the gold conversations, and write the settled labels.

Prints, for each kind of conversation and each column of labels, the share of equal labels with a 95 % Wilson interval
and Cohen's kappa; lists the disagreements; and writes ``gold.csv`` from the labels on which ``reading_one.csv`` and
``reading_two.csv`` agree and from ``settled.csv``, the third reading (columns ``id,column,label``). A label on which
the readers disagree and that ``settled.csv`` lacks is left empty in ``gold.csv``.

    python training/gold/agreement.py
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
COLUMNS = ("topic", "intent", "sentiment", "urgency", "resolution")
FIXED_LABELS = {
    "sentiment": {"negative", "neutral", "positive"},
    "urgency": {"low", "normal", "high", "critical"},
    "resolution": {"resolved", "partly_resolved", "unresolved", "unclear"},
}
Labels = dict[str, dict[str, str]]
"""Of each conversation's id: the label of each column."""
Settled = dict[tuple[str, str], str]
"""Of an id and a column: the label that the third reader chose."""
Z = 1.96
"""Quantile of the normal distribution for intervals of 95 %."""


def main() -> None:
    """Print the agreement and the disagreements, and write ``gold.csv``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the conversations and the readings")
    folder: Path = parser.parse_args().folder
    kinds = read_kinds(folder / "conversations.jsonl")
    one = read_labels(folder / "reading_one.csv", kinds)
    two = read_labels(folder / "reading_two.csv", kinds)
    settled = read_settled(folder / "settled.csv")
    print("\n".join(agreement_lines(kinds, one, two)))
    print("\n".join(["", *disagreement_lines(one, two, settled)]))
    unsettled = write_gold(folder / "gold.csv", one, two, settled)
    print(f"\ngold.csv: {len(one)} conversations, {unsettled} labels not settled")


def read_kinds(path: Path) -> dict[str, str]:
    """Return the kind of each conversation by its id, in the order of the file."""
    with path.open(encoding="utf-8") as file:
        conversations = [json.loads(line) for line in file]
    return {conversation["id"]: conversation["kind"] for conversation in conversations}


def read_labels(path: Path, kinds: Mapping[str, str]) -> Labels:
    """Return the labels of one reader.

    Raises:
        SystemExit: A conversation is missing, unknown or twice in the file, a label is empty, or a label of sentiment,
            urgency or resolution does not exist.
    """
    labels: Labels = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row["id"]
            if name in labels or name not in kinds:
                raise SystemExit(
                    f"{path.name}: id {name} is unknown or there twice; keep one line for each conversation"
                )
            labels[name] = {column: row[column].strip() for column in COLUMNS}
            for column, label in labels[name].items():
                check_label(path, name, column, label)
    if missing := [name for name in kinds if name not in labels]:
        raise SystemExit(f"{path.name}: labels are missing for {', '.join(missing)}; read these conversations, too")
    return {name: labels[name] for name in kinds}


def read_settled(path: Path) -> Settled:
    """Return the labels of the third reading; none when there is no such file yet.

    Raises:
        SystemExit: A column is unknown, or a label is empty or does not exist.
    """
    settled: Settled = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                check_label(path, row["id"], row["column"], row["label"].strip())
                settled[row["id"], row["column"]] = row["label"].strip()
    return settled


def check_label(path: Path, name: str, column: str, label: str) -> None:
    """Refuse a label that no reader can give; labels of topic and intent are only checked for being there.

    Raises:
        SystemExit: The column is unknown, or the label is empty or none of the column.
    """
    if column not in COLUMNS or not label or label not in FIXED_LABELS.get(column, {label}):
        raise SystemExit(f"{path.name}: {column} of {name} is {label!r}; use a column and a label that GUIDE.md names")


def agreement_lines(kinds: Mapping[str, str], one: Labels, two: Labels) -> list[str]:
    """Return a table: agreement with its interval, and kappa, of each kind of conversation and each column."""
    lines = [f"{'kind':<18}{'column':<12}{'n':>5}  {'equal':<20}  kappa"]
    for kind in (*dict.fromkeys(kinds.values()), "all"):
        names = [name for name in kinds if kind in ("all", kinds[name])]
        for column in COLUMNS:
            first, second = ([labels[name][column] for name in names] for labels in (one, two))
            equal = sum(map(str.__eq__, first, second))
            low, high = wilson_interval(equal, len(names))
            share = f"{equal / len(names):.2f} ({low:.2f} to {high:.2f})"
            lines.append(f"{kind:<18}{column:<12}{len(names):>5}  {share:<20}  {cohens_kappa(first, second):.2f}")
    return lines


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return agreement beyond chance: 1 is full agreement, 0 is chance; NaN where both readers use one label only."""
    count = len(first)
    observed = sum(map(str.__eq__, first, second)) / count
    chance = sum(first.count(label) * second.count(label) for label in set(first)) / count**2
    return (observed - chance) / (1 - chance) if chance < 1 else math.nan


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a share."""
    share = successes / count
    centre = share + Z**2 / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    scale = 1 + Z**2 / count
    return (centre - half) / scale, (centre + half) / scale


def disagreement_lines(one: Labels, two: Labels, settled: Settled) -> list[str]:
    """Return one line for each label on which the readers disagree, as CSV, with the third label or nothing."""
    lines = ["id,column,one,two,settled"]
    for name, labels in one.items():
        for column in COLUMNS:
            if labels[column] != two[name][column]:
                third = settled.get((name, column), "")
                lines.append(f"{name},{column},{labels[column]},{two[name][column]},{third}")
    return lines


def write_gold(path: Path, one: Labels, two: Labels, settled: Settled) -> int:
    """Write the settled labels, and return how many labels are left empty."""
    unsettled = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", *COLUMNS))
        for name, labels in one.items():
            chosen = [
                labels[column] if labels[column] == two[name][column] else settled.get((name, column), "")
                for column in COLUMNS
            ]
            unsettled += chosen.count("")
            writer.writerow((name, *chosen))
    return unsettled


if __name__ == "__main__":
    main()
