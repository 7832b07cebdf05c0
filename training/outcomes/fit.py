"""Count the labels of the development conversations by rule, and write `rule_counts.yaml`.

`development.jsonl` holds conversations that were written for this purpose (CC0), `gold_outcomes.csv` labels of
fifty conversations of `insights/data/gold.parquet`. One reader, a language model, labelled both by this guide.
A resolution is `resolved` if the customer confirms it, or if what was asked for was done or answered without an
objection; `unresolved` if it was refused, promised for later, left open, or still fails; `unclear` if nothing was
asked, or if nobody can tell whether a piece of advice helped. An urgency is `critical` for danger and losses under
way, `high` if work, travel or use is blocked or time is short, and `low` if the customer says that it can wait,
asks out of curiosity, chats, greets, praises or wishes for something new.

    python training/outcomes/fit.py           # writes the counts
    python training/outcomes/fit.py --report  # also says what was measured, and lists the errors
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.taxonomies.label_rules import RuleBook
from analytics_platform.insights.taxonomies.taxonomy import REMAINDERS
from analytics_platform.insights.tiers.decisions import Decision
from analytics_platform.insights.tiers.examples import as_messages, shipped_gold
from analytics_platform.insights.tiers.tier import Classified, Kind
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform.insights.verdicts import judge, resolution, urgency
from analytics_platform.insights.verdicts.decision_table import COUNTS, PRIOR_WEIGHT, DecisionTable, shares_of
from analytics_platform.insights.verdicts.stakes import Stakes
from analytics_platform.model.tables.insight_tables import RESOLUTIONS, URGENCIES

HERE = Path(__file__).parent
RULES = {"urgency": urgency.RULES, "resolution": resolution.RULES}
GUESSES = {"urgency": urgency.GUESSES, "resolution": resolution.GUESSES}
LABELS = {"urgency": URGENCIES, "resolution": RESOLUTIONS}


def labelled() -> tuple[pa.Table, dict[Kind, dict[str, str]]]:
    """Return the messages of all labelled conversations, and by kind the label of each conversation."""
    written = [json.loads(line) for line in (HERE / "development.jsonl").read_text(encoding="utf-8").splitlines()]
    with (HERE / "gold_outcomes.csv").open(encoding="utf-8") as file:
        gold = list(csv.DictReader(file))
    said = {row["item"]: row["messages"] for row in shipped_gold().to_pylist()}
    rows = [*written, *({**row, "messages": said[row["item"]]} for row in gold)]
    table = pa.table(
        {
            "item": [row["item"] for row in rows],
            "messages": pa.array([row["messages"] for row in rows], shipped_gold()["messages"].type),
        }
    )
    return as_messages(table), {kind: {row["item"]: row[kind] for row in rows} for kind in judge.KINDS}


def main() -> None:
    """Write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="print what was measured by leave-one-out")
    given = parser.parse_args()
    messages, labels = labelled()
    engine = build_engine(taxonomy_path=("general",))
    said, conversations, parts = engine.group(messages)
    grouped = engine.conversation_documents(messages)[1]
    rules = RuleBook(engine.taxonomy.rules)
    fires = conversations.gather(rules.find(said, parts.words))
    topic, intent = (Decision.of(kind, grouped[kind], engine.tier, rules, fires) for kind in ("topic", "intent"))
    stakes = Stakes.of(engine.taxonomy, topic, intent)
    outcomes = judge.OutcomeJudge(engine.taxonomy).decide(said, conversations, parts, stakes)
    read = judge.OutcomeJudge(engine.taxonomy, transformer_encoder("cpu")).decide(said, conversations, parts, stakes)
    written = {}
    counted: dict[str, tuple[Kind, np.ndarray]] = {
        **{kind: (kind, outcomes[kind][0].rule) for kind in judge.KINDS},
        "resolution_by_transformer": ("resolution", read["resolution"][0].rule),
    }
    for name_of_counts, (kind, rule) in counted.items():
        names = list(RULES[kind])
        counts = np.zeros((len(names), len(LABELS[kind])))
        right = np.array([LABELS[kind].index(labels[kind][item]) for item in conversations.ids.to_pylist()])
        np.add.at(counts, (rule, right), 1)
        written[name_of_counts] = {
            name: {label: int(n) for label, n in zip(LABELS[kind], row, strict=True) if n}
            for name, row in zip(names, counts, strict=True)
            if row.any()
        }
        if given.report:
            opinion = engine.tier.classify(kind, grouped[kind])
            _report(kind, rule, right, counts, opinion, conversations.ids.to_pylist())
    COUNTS.write_text(
        "# Labelled conversations by rule and label; made by training/outcomes/fit.py.\n" + yaml.safe_dump(written),
        encoding="utf-8",
    )


def _report(
    kind: Kind, rule: np.ndarray, right: np.ndarray, counts: np.ndarray, opinion: Classified, ids: list[str]
) -> None:
    """Print accuracy, log-loss and calibration error of every conversation judged without its own label."""
    names = list(RULES[kind])
    for prior in (1.0, 2.0, 3.0, 5.0, 8.0):
        for weight in (0.0, 0.25, 0.5, 1.0):
            confidence = _left_out(kind, rule, right, counts, opinion, prior, weight)
            best, chosen = confidence.max(axis=1), confidence.argmax(axis=1)
            loss = -np.log(confidence[np.arange(len(right)), right]).mean()
            line = f"{kind} prior {prior:.0f} opinion {weight:4.2f}: accuracy {np.mean(chosen == right):.3f}"
            print(f"{line}, log-loss {loss:.3f}, ece {_ece(best, chosen == right):.3f}")
    confidence = _left_out(kind, rule, right, counts, opinion, PRIOR_WEIGHT, judge.OPINION_WEIGHT)
    chosen = confidence.argmax(axis=1)
    print(f"{kind}: accuracy {np.mean(chosen == right):.3f}, ece {_ece(confidence.max(axis=1), chosen == right):.3f}")
    for row in np.flatnonzero(chosen != right):
        print(" ", ids[row], names[rule[row]], LABELS[kind][chosen[row]], "but", LABELS[kind][right[row]])


def _left_out(
    kind: Kind,
    rule: np.ndarray,
    right: np.ndarray,
    counts: np.ndarray,
    opinion: Classified,
    prior: float,
    weight: float,
) -> np.ndarray:
    """Return the probabilities of each conversation by the labels of all others; shape (conversations, labels)."""
    table = DecisionTable(LABELS[kind], RULES[kind], counts)
    own = counts[rule].copy()
    own[np.arange(len(rule)), right] -= 1
    confidence = shares_of(own, table.prior[rule] * prior / PRIOR_WEIGHT)
    rows = np.flatnonzero(np.isin(rule, table.places(GUESSES[kind])))
    confidence[rows] = judge.with_opinion(
        confidence[rows], table.labels, opinion, rows, REMAINDERS[kind], weight=weight
    )
    if kind == "resolution":
        judge.finish_resolution(confidence, rule, table)
    return np.clip(confidence, 1e-6, 1)


def _ece(confidence: np.ndarray, hit: np.ndarray, bins: int = 15) -> float:
    """Return the mean difference of confidence and accuracy over bins of equal width."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[place == one].mean() - hit[place == one].mean()) * np.mean(place == one)
            for one in np.unique(place)
        )
    )


if __name__ == "__main__":
    main()
