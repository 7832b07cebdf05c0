"""How much labelled conversations improve urgency and resolution: learning curves.

Run: ``python benchmarks/taught_outcomes.py [--draws 20] [--out docs/evaluation.md]``. Some of 224 English conversations
of ``training/gold`` and ``training/outcomes`` teach, and the others are judged, by the pack ``general`` in the tier
``static``. Rows: the labels of the guide; those of a company that calls ``resolved`` what the guide calls ``unclear``,
such as advice without a reply; and the same company where people correct only what is wrong. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from common.pages import write_tables
from gold import GOLD, read_gold
from numpy.typing import NDArray

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.heads.training_set import OUTCOME_KINDS, LabelledVectors
from analytics_platform.insights.quality.evaluate import expected_calibration_error
from analytics_platform.insights.quality.feedback import CORRECTION_WEIGHT, taught_by
from analytics_platform.insights.tiers.examples import EXAMPLES, as_messages
from analytics_platform.insights.tiers.tier import Documents, Floats, Kind
from analytics_platform.insights.verdicts import resolution, urgency
from analytics_platform.insights.verdicts.taught_outcomes import TaughtOutcome
from analytics_platform.model.tables.insight_tables import RESOLUTIONS, URGENCIES

SIZES = (0, 25, 50, 100, 150)
JUDGED = 80
LABELS: dict[Kind, Sequence[str]] = {"urgency": URGENCIES, "resolution": RESOLUTIONS}
RULES: dict[Kind, list[str]] = {"urgency": list(urgency.RULES), "resolution": list(resolution.RULES)}
ROWS = ("labels of the guide", "`unclear` counts as `resolved`", "the same, only wrong labels corrected")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    engine = build_engine("static", "cpu", ("general",))
    written = read_written()
    examples = EXAMPLES.from_rows(
        [
            {"item": row["item"], "kind": kind, "label": row[kind], "source": "training", "messages": row["messages"]}
            for row in written
            for kind in OUTCOME_KINDS
        ]
    )
    every = taught_by(engine, examples)
    ids, documents = engine.conversation_documents(as_messages(examples))
    lines = ["| | " + " | ".join(f"{size} labelled" for size in SIZES) + " |", "|---" * (len(SIZES) + 1) + "|"]
    for kind in OUTCOME_KINDS:
        items = examples.filter(pc.equal(examples["kind"], kind))["item"]
        of_kind = documents[kind].take(pc.index_in(items, ids).to_numpy().astype(np.int64))
        for name in ROWS[: 1 if kind == "urgency" else None]:
            by_item = {row["item"]: label_of(row, kind, name) for row in written}
            taught = replace(every[kind], labels=[by_item[item] for item in items.to_pylist()])
            task = Task(kind, name, taught, of_kind)
            lines.append(f"| {kind}, {name} | {' | '.join(curve(engine, task, arguments.draws))} |")
    text = "\n".join(["### Urgency and resolution that labelled conversations teach", "", *lines]) + "\n"
    print(text)
    if arguments.out:
        write_tables(arguments.out, text, "taught outcomes")


def read_written() -> list[dict[str, Any]]:
    """Return English conversations with their messages and labels."""
    conversations, gold = read_gold()
    path = GOLD.parent / "outcomes" / "development.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows += [{**row, "item": name, **gold[name]} for name, row in conversations.items() if row["kind"] != "sample"]
    chosen = [row for row in rows if row["language"] == "en"]
    return [{**row, "messages": [{key: m[key] for key in ("role", "text")} for m in row["messages"]]} for row in chosen]


def label_of(row: dict[str, Any], kind: str, name: str) -> str:
    """Return the label of a conversation in a row of the table."""
    settled = kind == "resolution" and name != ROWS[0] and row[kind] == "unclear"
    return "resolved" if settled else str(row[kind])


@dataclass(frozen=True)
class Task:
    """A row of the table.

    Attributes:
        kind: Kind of label.
        name: What teaches.
        taught: All conversations with their labels, rules and the answers of the rules.
        documents: The same conversations.
    """

    kind: Kind
    name: str
    taught: LabelledVectors
    documents: Documents

    @property
    def codes(self) -> NDArray[np.int64]:
        """Index of each conversation's label."""
        return np.array([LABELS[self.kind].index(label) for label in self.taught.labels])

    def choose(self, rows: NDArray[np.int64]) -> LabelledVectors:
        """Return the labelled conversations of some rows; in the table's last row, corrections of wrong labels."""
        taught = self.taught
        weights = taught.weights
        assert taught.answers is not None
        if self.name == ROWS[2]:
            rows = rows[taught.answers.argmax(axis=1)[rows] != self.codes[rows]]
            weights = np.full(len(weights), CORRECTION_WEIGHT)
        labels, rules = ([names[row] for row in rows] for names in (taught.labels, taught.rules))
        return LabelledVectors(taught.vectors[rows], labels, weights[rows], rules=rules, answers=taught.answers[rows])

    def judge(self, engine: InsightEngine, teaching: NDArray[np.int64], judged: NDArray[np.int64]) -> Floats:
        """Return the probabilities of some conversations after others taught."""
        assert self.taught.answers is not None
        own = self.taught.answers[judged]
        rules = RULES[self.kind]
        learnt = TaughtOutcome.fit(engine.encoder, LABELS[self.kind], rules, self.choose(teaching))
        if learnt is None:
            return own
        rule = np.array([rules.index(self.taught.rules[row]) for row in judged])
        return learnt.adjust(own, self.documents.take(judged), rule)


def curve(engine: InsightEngine, task: Task, draws: int) -> Sequence[str]:
    """Return the share of right labels and the calibration error for each number of labelled conversations."""
    codes, cells = task.codes, []
    for size in SIZES:
        found = []
        for draw in range(draws):
            order = np.random.default_rng(draw).permutation(len(codes))
            judged = order[-JUDGED:]
            answers = task.judge(engine, order[:size], judged)
            is_hit = answers.argmax(axis=1) == codes[judged]
            found.append((is_hit.mean(), expected_calibration_error(answers.max(axis=1), is_hit)))
        right, error = np.mean(found, axis=0)
        cells.append(f"{right:.3f}, {error:.3f}")
    return cells


if __name__ == "__main__":
    main()
