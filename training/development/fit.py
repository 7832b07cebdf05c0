"""Fit the heads of whole conversations, and write ``insights/data/conversation_heads.safetensors``.

The mood of single messages is fitted on ``training/sentiment/customers.tsv``; sentiment and resolution of conversations
on the part ``fit`` of ``conversations.jsonl``, on ``training/conversations`` (the part ``taught``), and on
``training/outcomes/development.jsonl`` (the part ``plain``), whose conversations are plainer and count less. The part
``check`` is used for nothing but the report.

The sentiment of the transformer also weighs the vectors of the first and last messages, by a few of their principal
components, which are fitted on the part ``taught`` alone.

    python training/development/fit.py           # writes the weights
    python training/development/fit.py --report  # also prints how many labels are right, each part by others
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import block_diag
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.tiers.conversation_heads import ConversationHead, EncoderName, HeadName, save_heads
from analytics_platform.insights.tiers.conversation_sentiment import Feelings
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Floats
from analytics_platform.insights.vectors.sentence_graph import WIDTH
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform.insights.verdicts.judge import resolution_evidence
from analytics_platform.model.tables.insight_tables import RESOLUTIONS
from analytics_platform.transform.messages import clean_messages

TRAINING = Path(__file__).parents[1]
sys.path.append(str(TRAINING.parent / "benchmarks"))
from common.chats import as_raw_messages  # noqa: E402  (its folder is not a package)
from gold import PARTS, as_chats, read_conversations, read_development  # noqa: E402

LABELS: Mapping[HeadName, tuple[str, ...]] = {
    "mood": tuple(SENTIMENT_VALUES),
    "sentiment": tuple(SENTIMENT_VALUES),
    "resolution": tuple(RESOLUTIONS),
}
PLAIN_WEIGHT: Mapping[HeadName, float] = {"sentiment": 0.3, "resolution": 1.0}
"""Weight of a conversation of ``training/outcomes``."""
TAUGHT_WEIGHT: Mapping[tuple[HeadName, EncoderName], float] = {
    ("sentiment", "transformer"): 1.0,
    ("resolution", "static"): 0.3,
    ("resolution", "transformer"): 0.3,
}
"""Weight of a conversation of ``training/conversations``. Those do not teach the sentiment of static vectors, which
loses as many right labels as it gains."""
WITH_VECTORS = ("sentiment", "transformer")
"""The head that weighs vectors of messages. Those of resolutions gained on the part ``check`` and lost on the gold."""
COMPONENTS = 48
"""Principal components of the vectors of first messages, and as many of last ones."""
COMPONENT_SCALE = 0.5
"""Standard deviation of the first component, against 1 of every other piece of evidence."""
INVERSE_REGULARISATION: Mapping[HeadName, float] = {"mood": 3.0, "sentiment": 0.3, "resolution": 0.1}
TIERS: Mapping[EncoderName, str] = {"static": "static", "transformer": "cascade"}
LLM_DOMAINS = ("llm", "llm_assistant")


def main() -> None:
    """Write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", action="store_true", help="print how many labels are right")
    given = parser.parse_args()
    rows = conversations()
    heads: dict[tuple[HeadName, EncoderName], ConversationHead] = {}
    for encoder, tier in TIERS.items():
        heads["mood", encoder] = fit_mood(encoder)
        evidence: dict[str, dict[HeadName, Floats]] = {}
        for pack in dict.fromkeys(row["pack"] for row in rows):
            some = [row for row in rows if row["pack"] == pack]
            evidence |= evidence_of(build_engine(tier, "cpu", (pack,)), some, heads["mood", encoder])
        names: tuple[HeadName, ...] = ("sentiment", "resolution")
        for name in names:
            labelled = [row for row in rows if row["id"] in evidence and row[name]]
            examples = Examples.of(labelled, name, encoder, np.array([evidence[row["id"]][name] for row in labelled]))
            heads[name, encoder] = examples.head(examples.fit(examples.part != "check"))
            if given.report:
                report(examples, f"{encoder}, {name}")
    save_heads(heads)


def conversations() -> list[dict[str, Any]]:
    """Return the conversations with their parts and labels; a label may be None in the part ``taught``."""
    rows = [row for part in PARTS for row in read_development(part)[0].values()]
    rows += [{**row, "part": "taught"} for row in read_conversations(TRAINING / "conversations").values()]
    for line in (TRAINING / "outcomes" / "development.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        messages = [{**one, "role": "user" if one["role"] == "user" else "assistant"} for one in row["messages"]]
        pack = "llm_assistant" if row["domain"] in LLM_DOMAINS else "general"
        rows.append({**row, "id": row["item"], "pack": pack, "part": "plain", "messages": messages})
    return rows


def fit_mood(encoder: EncoderName) -> ConversationHead:
    """Fit the mood of single messages."""
    with (TRAINING / "sentiment" / "customers.tsv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    encode = static_encoder().encode if encoder == "static" else transformer_encoder("cpu").encode
    vectors = np.asarray(encode([row["text"] for row in written]), np.float64)
    model = LogisticRegression(C=INVERSE_REGULARISATION["mood"], max_iter=5000)
    model.fit(vectors - vectors.mean(axis=0), [row["label"] for row in written])
    return head_of("mood", model, vectors.mean(axis=0), np.eye(vectors.shape[1]))


def evidence_of(
    engine: InsightEngine, rows: Sequence[Mapping[str, Any]], mood: ConversationHead
) -> dict[str, dict[HeadName, Floats]]:
    """Return the evidence about conversations by id."""
    messages = clean_messages(as_raw_messages(as_chats(rows)))
    said, grouping, parts = engine.group(messages)
    of_sentiment = Feelings.of(said, grouping, parts, mood, engine.transformer).evidence
    by_rules, ending = engine.resolutions_by_rules(messages)
    of_resolution = resolution_evidence(by_rules, ending)
    return {
        name: {"sentiment": of_sentiment[row], "resolution": of_resolution[row]}
        for row, name in enumerate(grouping.ids.to_pylist())
    }


@dataclass(frozen=True)
class Examples:
    """Labelled conversations that teach or test a head.

    Attributes:
        name: Name of the head.
        pieces: Evidence; shape (conversations, pieces).
        labels: Shape (conversations,).
        part: Part of each conversation.
        weights: Weight of each conversation.
        centre: What is subtracted from the evidence; shape (pieces,).
        basis: What the centred evidence is multiplied by before it is weighed; shape (pieces, inputs).
    """

    name: HeadName
    pieces: Floats
    labels: np.ndarray
    part: np.ndarray
    weights: Floats
    centre: Floats
    basis: Floats

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], name: HeadName, encoder: EncoderName, pieces: Floats) -> Examples:
        """Centre and scale evidence about conversations."""
        part = np.array([row["part"] for row in rows])
        taught_weight = TAUGHT_WEIGHT.get((name, encoder), 0.0)
        of_part = {"plain": PLAIN_WEIGHT[name], "taught": taught_weight}
        weights = np.array([of_part.get(one, 1.0) for one in part.tolist()])
        used = (part != "check") & (weights > 0)
        counted = pieces.shape[1] - (2 * WIDTH if (name, encoder) == WITH_VECTORS else 0)
        deviation = pieces[used, :counted].std(axis=0)
        blocks = [np.diag(1 / np.where(deviation > 1e-9, deviation, 1.0))]
        centre = pieces[used].mean(axis=0)
        taught = pieces[part == "taught"] - centre
        if counted < pieces.shape[1]:
            blocks += [components(vectors) for vectors in np.split(taught[:, counted:], 2, axis=1)]
        return cls(name, pieces, np.array([row[name] for row in rows]), part, weights, centre, block_diag(*blocks))

    def fit(self, rows: np.ndarray) -> LogisticRegression:
        """Fit the inputs of some conversations, given by a mask."""
        model = LogisticRegression(C=INVERSE_REGULARISATION[self.name], max_iter=5000)
        some = rows & (self.weights > 0)
        return model.fit(self.inputs[some], self.labels[some], sample_weight=self.weights[some])

    def head(self, model: LogisticRegression) -> ConversationHead:
        """Return a model as a head."""
        return head_of(self.name, model, self.centre, self.basis)

    @cached_property
    def inputs(self) -> Floats:
        """What is weighed; shape (conversations, inputs)."""
        return np.asarray((self.pieces - self.centre) @ self.basis)


def components(vectors: Floats) -> Floats:
    """Return the first principal components as columns, scaled; shape (dimensions, components)."""
    _, spread, axes = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    first = spread[0] / np.sqrt(len(vectors))
    return np.asarray(axes[:COMPONENTS].T * COMPONENT_SCALE / first)


def head_of(name: HeadName, model: LogisticRegression, centre: Floats, basis: Floats) -> ConversationHead:
    """Return the head that takes evidence as it is, from a model of evidence that is centred and multiplied."""
    order = [list(model.classes_).index(label) for label in LABELS[name]]
    weights = basis @ model.coef_[order].T
    return ConversationHead(LABELS[name], weights, model.intercept_[order] - centre @ weights)


def report(examples: Examples, title: str) -> None:
    """Print the share of right labels: of what is fitted on by ten folds, of the part ``check`` by all of it."""
    used = np.flatnonzero(examples.part != "check")
    guess = np.empty_like(examples.labels)
    for _, tested in StratifiedKFold(10, shuffle=True, random_state=0).split(used, examples.labels[used]):
        others = examples.part != "check"
        others[used[tested]] = False
        guess[used[tested]] = examples.fit(others).predict(examples.inputs[used[tested]])
    checked = examples.part == "check"
    guess[checked] = examples.fit(~checked).predict(examples.inputs[checked])
    right = guess == examples.labels
    shares = [f"{one} {right[examples.part == one].mean():.3f}" for one in ("fit", "check", "taught", "plain")]
    print(f"{title}: {', '.join(shares)}")


if __name__ == "__main__":
    main()
