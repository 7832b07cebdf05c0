"""Make the labelled texts that the default heads are fitted on and judged by.

Writes ``labels.parquet`` (a slice of public data sets, mapped by ``label_mapping.yaml``) and ``gold.parquet`` (the
conversations of the sample that ``gold.csv`` labels, as the platform cleans them) into ``insights/data``. The same
files give the same bytes.

The data sets are Parquet files with columns ``text`` and ``label``; Taskmaster-4 has turns (``conversation_id``,
``turn_index``, ``role``, ``text``, ``gold_intent``), of which the opening orders are taken.

    python training/labels/build.py --banking77 B.parquet --clinc150 C.parquet --taskmaster4 T.parquet
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from analytics_platform.insights.tiers.examples import DATA, EXAMPLES, GOLD_PATH, SLICE_PATH
from analytics_platform.settings.loader import SAMPLE_END, SAMPLE_START
from analytics_platform.sources.sample_source import sample_source
from analytics_platform.transform.messages import clean_messages

TEXTS_PER_LABEL = 60
"""Of one label of one kind from one data set: the heads hardly gain from more, and the slice stays small."""
ORDERS = "Auto template"
NO_ORDERS = ("13 ", "14", "15 ", "16 ", "17 ", "25 ")
"""Taskmaster-4 templates whose opening is a question or off the topic."""
GOLD_CSV = Path(__file__).with_name("gold.csv")


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("banking77", "clinc150", "taskmaster4"):
        parser.add_argument(f"--{name}", type=Path, help="Parquet file; without the three only gold.parquet is made")
    paths = vars(parser.parse_args())
    if all(paths.values()):
        write(slice_of({name: read(name, path) for name, path in paths.items()}), SLICE_PATH)
    write(gold(), GOLD_PATH)


def read(name: str, path: Path) -> pd.DataFrame:
    """Return columns ``text`` and ``label``."""
    found = pd.read_parquet(path)
    if name != "taskmaster4":
        return found[["text", "label"]]
    kind = found["gold_intent"].str.removeprefix(f"{ORDERS} ")
    orders = found[(found["turn_index"] == 0) & (found["role"] == "user") & ~kind.str.startswith(NO_ORDERS)]
    return orders[["text"]].assign(label="opening")


def slice_of(sets: dict[str, pd.DataFrame]) -> pa.Table:
    """Return the texts that the mapping names, ``TEXTS_PER_LABEL`` of each label, drawn by the hash of the text."""
    mapping = yaml.safe_load((DATA / "label_mapping.yaml").read_text(encoding="utf-8"))
    rows = []
    for kind in ("topic", "intent"):
        for source, labels in mapping[f"{kind}s"].items():
            for label, given in labels.items():
                texts = sets[source][sets[source]["label"].isin(given)]["text"].str.strip().unique()
                missing = set(given) - set(sets[source]["label"])
                if missing:
                    raise SystemExit(f"label_mapping.yaml: {source} has no {', '.join(sorted(missing))}")
                for text in sorted(texts, key=digest)[:TEXTS_PER_LABEL]:
                    said = [{"role": "user", "text": text}]
                    rows.append(
                        {"item": digest(text)[:16], "kind": kind, "label": label, "source": source, "messages": said}
                    )
    return EXAMPLES.from_rows(rows)


def gold() -> pa.Table:
    """Return the labels of ``gold.csv`` with the messages that they are about."""
    with GOLD_CSV.open(encoding="utf-8", newline="") as file:
        labelled = {row["conversation_id"]: row for row in csv.DictReader(file)}
    said: dict[str, list[dict[str, str]]] = {name: [] for name in labelled}
    with tempfile.TemporaryDirectory() as staging:
        source = sample_source(Path(staging), first_day=SAMPLE_START, last_day=SAMPLE_END)
        source.refresh()
        for day in source.days():
            messages = clean_messages(source.read_day(day).messages)
            for row in messages.select(["conversation_id", "role", "text"]).to_pylist():
                if row["conversation_id"] in said:
                    said[row["conversation_id"]].append({"role": row["role"], "text": row["text"]})
    rows = [
        {"item": name, "kind": kind, "label": row[kind], "source": "shipped", "messages": said[name]}
        for name, row in labelled.items()
        for kind in ("topic", "intent")
        if row[kind]
    ]
    return EXAMPLES.from_rows(rows)


def digest(text: str) -> str:
    """Return a hash that draws texts without regard to their order."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(table: pa.Table, path: Path) -> None:
    """Write a table, and say how much it is."""
    pq.write_table(table, path, compression="zstd", compression_level=19)
    print(f"{path.name}: {table.num_rows} rows, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
