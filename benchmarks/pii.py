"""How well and how fast personal data is found, against Presidio alone where it is installed.

Run: ``python benchmarks/pii.py [LABELLED.parquet] [--plain TEXTS.parquet] [--presidio] [--out docs/privacy.md]``. The
labelled file has columns ``text`` and ``spans``, a JSON list of ``{start, end, label}`` with Presidio's label names;
``--plain`` has a column ``text`` and serves to measure speed. A span counts as found only where kind, start and end are
the same; ``overlap`` also counts those that share a character. Kinds without gold spans in the file have no figures.
Times are of CPU seconds of this process, the best of three, Presidio's of one pass. ``--presidio`` needs
presidio-analyzer and a spaCy model (``--spacy``). Prints one JSON object, and writes it as tables, with date and
machine, to ``--out``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common.pages import write_tables

from analytics_platform.model.word_sets.pii_kinds import KINDS, STRUCTURED
from analytics_platform.settings.loader import PROJECT_ROOT
from analytics_platform.transform.pii import find_pii, redact

KIND_OF_LABEL = {
    "EMAIL_ADDRESS": "EMAIL",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "PHONE_NUMBER": "PHONE",
    "IP_ADDRESS": "IP",
    "DOMAIN_NAME": "URL",
    "URL": "URL",
    "US_SSN": "SSN",
    "US_DRIVER_LICENSE": "NATIONAL_ID",
    "PERSON": "NAME",
}
REPEATS = 3
SAMPLE = PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet"
Spans = dict[str, set[tuple[int, int, int]]]


def gold_spans(column: list[str]) -> Spans:
    """Return (row, start, end) of the labelled spans by kind."""
    found: Spans = defaultdict(set)
    for row, spans in enumerate(column):
        for span in json.loads(spans):
            if kind := KIND_OF_LABEL.get(span["label"]):
                found[kind].add((row, span["start"], span["end"]))
    return found


def our_spans(texts: pa.Array) -> Spans:
    """Return what the platform finds."""
    found: Spans = defaultdict(set)
    for span in find_pii(texts).to_pylist():
        found[span["kind"]].add((span["row"], span["start"], span["end"]))
    return found


def presidio(spacy_model: str) -> Callable[[list[str]], Spans]:
    """Return a function that finds spans with Presidio as it comes."""
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    models = [{"lang_code": "en", "model_name": spacy_model}]
    engine = AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    )

    def find(texts: list[str]) -> Spans:
        found: Spans = defaultdict(set)
        for row, text in enumerate(texts):
            for result in engine.analyze(text, language="en"):
                if kind := KIND_OF_LABEL.get(result.entity_type):
                    found[kind].add((row, result.start, result.end))
        return found

    return find


def scores(gold: Spans, found: Spans) -> dict[str, dict[str, float]]:
    """Return precision, recall and F1 per kind, of exact spans and of overlapping ones."""
    table = {}
    for kind in sorted(gold):
        exact = len(gold[kind] & found[kind])
        hit = _touched(gold[kind], found[kind])
        right = _touched(found[kind], gold[kind])
        table[kind] = {
            "gold": len(gold[kind]),
            "found": len(found[kind]),
            **_measures(exact, len(found[kind]), exact, len(gold[kind]), ""),
            **_measures(right, len(found[kind]), hit, len(gold[kind]), "overlap_"),
        }
    return table


def _touched(spans: set[tuple[int, int, int]], others: set[tuple[int, int, int]]) -> int:
    by_row = defaultdict(list)
    for row, start, end in others:
        by_row[row].append((start, end))
    return sum(any(start < stop and begin < end for begin, stop in by_row[row]) for row, start, end in spans)


def _measures(right: int, found: int, hit: int, gold: int, prefix: str) -> dict[str, float]:
    precision, recall = right / max(found, 1), hit / max(gold, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    named = {"precision": precision, "recall": recall, "f1": f1}
    return {prefix + name: round(value, 3) for name, value in named.items()}


def rate(texts: pa.Array, work: Callable[[], object]) -> int:
    """Return texts a second of CPU time."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return round(len(texts) / max(min(times), 1e-9))


def speed(texts: pa.Array) -> dict[str, int | float]:
    """Return texts a second, beside one bare pass of a regular expression over the column."""
    bare = rate(texts, lambda: pc.match_substring_regex(texts, r"[0-9@]"))
    structured = rate(texts, lambda: redact(texts, find_pii(texts, STRUCTURED)))
    every = rate(texts, lambda: redact(texts, find_pii(texts, KINDS)))
    return {
        "texts": len(texts),
        "structured_per_second": structured,
        "all_kinds_per_second": every,
        "bare_pass_per_second": bare,
        "structured_in_bare_passes": round(bare / structured, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", nargs="?", help="Parquet file with columns text and spans; speed alone without")
    parser.add_argument("--plain", help="Parquet file with a column text; its texts without a finding measure speed")
    parser.add_argument("--presidio", action="store_true", help="measure Presidio, too")
    parser.add_argument("--spacy", default="en_core_web_sm", help="spaCy model of Presidio")
    parser.add_argument("--out", type=Path, help="page whose table is rewritten")
    arguments = parser.parse_args()
    if arguments.out and not (arguments.labelled and arguments.presidio):
        parser.error("--out needs a labelled file and --presidio: the page compares the two")
    find = presidio(arguments.spacy) if arguments.presidio else None  # first, since it may not be installed
    if arguments.labelled is None:
        plain = pq.read_table(arguments.plain or SAMPLE, columns=["text"])["text"].combine_chunks().cast(pa.string())
        print(json.dumps({"speed": speed(plain)}, indent=2))
        return
    table = pq.read_table(arguments.labelled, columns=["text", "spans"])
    texts = table["text"].combine_chunks().cast(pa.string())
    gold = gold_spans(table["spans"].to_pylist())
    result: dict[str, Any] = {
        "platform": scores(gold, our_spans(texts)),
        "speed_on_labelled": speed(texts),
    }
    if arguments.plain:
        plain = pq.read_table(arguments.plain, columns=["text"])["text"].combine_chunks().cast(pa.string())
        touched = find_pii(plain)["row"].to_numpy()
        clear = plain.take(pa.array(sorted(set(range(len(plain))) - set(touched.tolist()))))
        result["speed_where_nothing_is_found"] = speed(clear)
    if find:
        lines = texts.to_pylist()
        started = time.process_time()
        result["presidio"] = scores(gold, find(lines))
        result["presidio_per_second"] = round(len(lines) / (time.process_time() - started))
    print(json.dumps(result, indent=2))
    if arguments.out:
        write_tables(arguments.out, tables(result, len(texts)))


def tables(result: dict[str, Any], texts: int) -> str:
    """Return what was measured as Markdown tables."""
    lines = [
        f"| {texts:,} labelled texts | spans | precision | recall | F1 | Presidio: precision | recall | F1 |",
        "|---" * 8 + "|",
    ]
    for kind, ours in result["platform"].items():
        both = ours, result["presidio"][kind]
        cells = [f"{row[name]:.2f}" for row in both for name in ("precision", "recall", "f1")]
        lines.append(f"| `{kind}` | {ours['gold']:,} | " + " | ".join(cells) + " |")
    lines += ["", "| texts per CPU-second | structured kinds | all kinds | bare pass | Presidio |", "|---" * 5 + "|"]
    for name, title in (("speed_where_nothing_is_found", "nothing found"), ("speed_on_labelled", "labelled texts")):
        if measured := result.get(name):
            names = ("structured_per_second", "all_kinds_per_second", "bare_pass_per_second")
            cells = [f"{measured[key]:,}" for key in names]
            cells.append(f"{result['presidio_per_second']:,}" if name == "speed_on_labelled" else "")
            lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
