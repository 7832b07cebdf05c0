"""Fit the heads of whole conversations, and write ``insights/data/conversation_heads.safetensors``.

The mood of single messages is fitted on ``training/sentiment/customers.tsv``; sentiment and resolution of conversations
on the part ``fit`` of ``conversations.jsonl`` and on ``training/outcomes/development.jsonl``, which is plainer and
counts less. The part ``check`` is used for nothing but the report.

    python training/development/fit.py           # writes the weights
    python training/development/fit.py --report  # also prints how many labels are right, each part by others
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.tiers.conversation_heads import ConversationHead, EncoderName, HeadName, save_heads
from analytics_platform.insights.tiers.conversation_sentiment import Feelings
from analytics_platform.insights.tiers.tier import SENTIMENT_VALUES, Floats
from analytics_platform.insights.vectors.static_multilingual import static_encoder
from analytics_platform.insights.vectors.text_encoder import transformer_encoder
from analytics_platform.insights.verdicts.judge import resolution_evidence
from analytics_platform.model.tables.insight_tables import RESOLUTIONS
from analytics_platform.transform.messages import clean_messages

TRAINING = Path(__file__).parents[1]
sys.path.append(str(TRAINING.parent / "benchmarks"))
from common.chats import as_raw_messages  # noqa: E402  (its folder is not a package)
from gold import PARTS, as_chats, read_development  # noqa: E402

LABELS: Mapping[HeadName, tuple[str, ...]] = {
    "mood": tuple(SENTIMENT_VALUES),
    "sentiment": tuple(SENTIMENT_VALUES),
    "resolution": tuple(RESOLUTIONS),
}
PLAIN_WEIGHT: Mapping[HeadName, float] = {"sentiment": 0.3, "resolution": 0.5}
"""Weight of a conversation of ``training/outcomes``."""
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
            pieces = np.array([evidence[row["id"]][name] for row in rows])
            heads[name, encoder] = fit_head(name, rows, pieces)
            if given.report:
                report(name, encoder, rows, pieces)
    save_heads(heads)


def conversations() -> list[dict[str, Any]]:
    """Return the conversations with their labels; of each the part, ``plain`` for those of ``training/outcomes``."""
    rows = [row for part in PARTS for row in read_development(part)[0].values()]
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
    return fit("mood", vectors, [row["label"] for row in written], np.ones(len(written)), np.ones(vectors.shape[1]))


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


def fit_head(name: HeadName, rows: Sequence[Mapping[str, Any]], pieces: Floats) -> ConversationHead:
    """Fit a head of conversations on all but the part ``check``."""
    used = np.array([row["part"] != "check" for row in rows])
    labels = [row[name] for row, use in zip(rows, used, strict=True) if use]
    return fit(name, pieces[used], labels, weights_of(name, rows)[used], scale_of(pieces[used]))


def fit(name: HeadName, pieces: Floats, labels: Sequence[str], weights: Floats, scale: Floats) -> ConversationHead:
    """Fit a logistic regression on evidence that is centred and scaled; the head takes it as it is."""
    centre = pieces.mean(axis=0)
    model = regression(name).fit((pieces - centre) / scale, labels, sample_weight=weights)
    order = [list(model.classes_).index(label) for label in LABELS[name]]
    coefficients = model.coef_[order].T / scale[:, None]
    return ConversationHead(LABELS[name], coefficients, model.intercept_[order] - centre @ coefficients)


def regression(name: HeadName) -> LogisticRegression:
    """Return the model of a head before it is fitted."""
    return LogisticRegression(C=INVERSE_REGULARISATION[name], max_iter=5000)


def scale_of(pieces: Floats) -> Floats:
    """Return the standard deviation of each piece; 1 for a constant one."""
    deviation = pieces.std(axis=0)
    return np.where(deviation > 1e-9, deviation, 1.0)


def weights_of(name: HeadName, rows: Sequence[Mapping[str, Any]]) -> Floats:
    """Return the weight of each conversation."""
    return np.array([PLAIN_WEIGHT[name] if row["part"] == "plain" else 1.0 for row in rows])


def report(name: HeadName, encoder: EncoderName, rows: Sequence[Mapping[str, Any]], pieces: Floats) -> None:
    """Print the share of right labels: of what is fitted on by ten folds, of the part ``check`` by all of it."""
    part, truth = np.array([row["part"] for row in rows]), np.array([row[name] for row in rows])
    used = part != "check"
    scaled = (pieces - pieces[used].mean(axis=0)) / scale_of(pieces[used])
    weights = weights_of(name, rows)
    folds = StratifiedKFold(10, shuffle=True, random_state=0)
    guess = np.empty(len(rows), truth.dtype)
    parameters = {"sample_weight": weights[used]}
    guess[used] = cross_val_predict(regression(name), scaled[used], truth[used], cv=folds, params=parameters)
    fitted = regression(name).fit(scaled[used], truth[used], sample_weight=weights[used])
    guess[~used] = fitted.predict(scaled[~used])
    shares = [f"{one} {np.mean((guess == truth)[part == one]):.3f}" for one in ("fit", "check", "plain")]
    print(f"{encoder}, {name}: {', '.join(shares)}")


if __name__ == "__main__":
    main()
