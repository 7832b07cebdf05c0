"""What an edit of the package makes stale: a copy of the package is edited and asked for its code versions."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from analytics_platform.settings.loader import PROJECT_ROOT

ASK = """
import gc, json, os, sys
from pathlib import Path

def ask():
    from analytics_platform.definitions import LEARNING
    from analytics_platform.defs.assets.everyday import TABLES
    versions = {asset.key.to_user_string(): asset.recipe.code_version for asset in [*TABLES, *LEARNING]}
    if "engine" in sys.argv:
        from analytics_platform.insights.engine import build_engine
        versions["engine"] = build_engine("static", device="cpu").version
    return versions

import analytics_platform.definitions  # with its libraries, which the forks then have
for name in [name for name in sys.modules if name.partition(".")[0] == "analytics_platform"]:
    del sys.modules[name]
gc.collect()
gc.freeze()  # forks share what is not visited; they are too short-lived to collect
gc.disable()
for edits in json.load(sys.stdin):
    before = {place: Path(place).read_bytes() for place in edits}
    for place, after in edits.items():
        Path(place).write_bytes(bytes.fromhex(after))
    sys.stdout.flush()
    if not (child := os.fork()):
        print(json.dumps(ask()), flush=True)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    for place, content in before.items():
        Path(place).write_bytes(content)
"""
"""Prints the versions of the package once for each set of edits, each in a process without the package's modules."""

Edits: TypeAlias = dict[str, bytes]
"""New content by the path of a file in the package."""
DAILY = {"daily_metrics", "user_daily", "agent_daily", "model_daily"}
COLLECTIONS = {f"mongo/conversation_{name}" for name in ("analytics", "messages", "categories")}
LABELS = {"message_embeddings", "message_insights", "conversation_insights"}
REPORTS = {"daily_report", "daily_report_page"}
CORRECTED = {"label_feedback", "gold_labels", "llm_lessons", "candidate_model"}
JUDGED = {"candidate_model", "model_evaluation", "promoted_model"}  # with and without an LLM's lessons
LEARNING = CORRECTED | JUDGED
ASKED = {"llm_insights", "message_translations", "topic_names"}  # with one client
ROWS = {"raw_messages", "quarantined_rows", "unplaced_rows"}
DOMAIN = {"model", "sources", "transform", "insights", "analytics"}
EDITS: list[tuple[str, str, str, set[str]]] = [
    ("analytics/summary.py", "NEGATIVE_BELOW = -0.25", "NEGATIVE_BELOW = -0.5", DAILY | REPORTS),
    ("analytics/users.py", "WEEKDAYS = 7", "WEEKDAYS = 8", {"user_analytics"}),
    ("analytics/pairing.py", '_ID = "conversation_id"', '_ID = "id"', DAILY | COLLECTIONS),
    ("analytics/reports/evidence.py", "QUIET_DAY = 10", "QUIET_DAY = 11", REPORTS),
    ("analytics/reports/charts.py", '"currentColor"', '"black"', {"daily_report_page"}),
    ("analytics/reports/page.html.j2", "</html>", "</html> ", {"daily_report_page"}),
    ("defs/assets/report_assets.py", "This is the sample", "Here is the sample", {"daily_report_page"}),
    ("insights/similarity.py", "_MOST_WORDS = 40", "_MOST_WORDS = 41", {"conversation_embeddings"}),
    ("insights/tiers/transformer_tier.py", "_EVERY = 4", "_EVERY = 5", LABELS | LEARNING),
    ("insights/quality/feedback.py", "_HELD_OUT = 5", "_HELD_OUT = 6", CORRECTED),
    ("insights/quality/evaluate.py", "_BINS = 15", "_BINS = 16", JUDGED),
    ("insights/llm/api/rate_limits.py", "_BURST_SHARE = 0.1", "_BURST_SHARE = 0.2", ASKED),
    ("insights/llm/prompts/conversation.v1.md.j2", "conversation", "dialogue", set()),
    ("insights/taxonomies/packs/demo.yaml", "\n", "\n# edited\n", LABELS | LEARNING | {"llm_insights"}),
    ("model/tables/raw_tables.py", "MAX_NUMBER = 1_", "MAX_NUMBER = 2_", ROWS),
    ("sources/row_rules/row_validation.py", "_EXTRA_KEPT = 1_000", "_EXTRA_KEPT = 2_000", ROWS),
    ("transform/text.py", '_INVISIBLE = r"[', '_INVISIBLE = r"[ ', {"messages"}),
    ("transform/conversations.py", "_DIGITS = 9", "_DIGITS = 8", {"raw_conversations", "conversations"}),
    ("transform/pii/secret_forms.tsv", "\n", "\n\n", {"raw_conversations", "messages", "conversations"}),
]
"""A file of the package, an edit of it, and what is then stale."""
WITHOUT_EFFECT = [
    ("analytics/reports/highlights.py", "_FINDINGS = 3", "_FINDINGS = 4"),
    ("defs/framework/day_ranges.py", "def ", "LIMIT = 4\n\n\ndef "),
    ("insights/quality/drift.py", "FEWEST = 30", "FEWEST = 31"),
    ("insights/data/label_mapping.yaml", "\n", "\n# edited\n"),
    ("operations/why.py", "EVENTS_READ = 100", "EVENTS_READ = 101"),
    ("settings/loader.py", 'ENV_FILE = ".env"', 'ENV_FILE = "env"'),
    ("storage/lake/parquet_lake.py", "hours=6", "hours=7"),
]
"""Edits of files that no table is computed with."""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package that may be edited."""
    place = tmp_path_factory.mktemp("copy") / "analytics_platform"
    shutil.copytree(PROJECT_ROOT / "analytics_platform", place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def versions(package: Path, *edits: Edits, engine: bool = False) -> list[dict[str, str]]:
    """Return the code version of each table, and of the engine when asked for, for each set of edits of a package."""
    asked = subprocess.run(
        [sys.executable, "-c", ASK, *(["engine"] if engine else [])],
        cwd=package.parent,
        env={**_environment(), "PYTHONPATH": str(package.parent), "ANALYTICS_HOME": str(package.parent / "home")},
        input=json.dumps([{str(package / path): after.hex() for path, after in one.items()} for one in edits]),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    return [json.loads(line) for line in asked.stdout.splitlines()]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS_")}


def stale(package: Path, *edits: Edits, engine: bool = False) -> list[set[str]]:
    """Return the tables (and ``engine``) whose code version each set of edits changes."""
    before, *after = versions(package, {}, *edits, engine=engine)
    return [{name for name, version in one.items() if version != before[name]} for one in after]


def test_reworded_prose_of_every_module_makes_nothing_stale(package: Path) -> None:
    """A reworded docstring, or the description of a column, made every partition of every user stale."""
    edits, edited = {}, 0
    for module in package.rglob("*.py"):
        source = module.read_text(encoding="utf-8")
        pieces = list(prose(ast.parse(source), declares="= Table(" in source))
        if module.relative_to(package).parts[0] in DOMAIN:
            pieces += annotations(ast.parse(source))
        edits[str(module.relative_to(package))] = reworded(source, pieces).encode()
        edited += len(pieces)
    assert edited > 3_000
    assert stale(package, edits, engine=True) == [set()]


def test_an_edited_constant_makes_stale_exactly_what_imports_it(package: Path) -> None:
    """An edited constant of the report's code made ``daily_metrics`` stale, and that of a report made none stale."""
    edits = [edit(package, *one) for *one, _ in EDITS]
    [nothing, *found] = stale(
        package, {path: content for one in WITHOUT_EFFECT for path, content in edit(package, *one).items()}, *edits
    )
    assert nothing == set()
    assert {path: names for (path, *_), names in zip(EDITS, found, strict=True)} == {
        path: names for path, *_, names in EDITS
    }


def edit(package: Path, path: str, before: str, after: str) -> Edits:
    """Return one edit: the first occurrence of a text replaced."""
    content = (package / path).read_text(encoding="utf-8")
    assert before in content, path
    return {path: content.replace(before, after, 1).encode()}


Piece: TypeAlias = tuple[ast.expr, str]
"""A node of a syntax tree, and the text that replaces it."""


def prose(tree: ast.Module, *, declares: bool) -> Iterator[Piece]:
    """Return the docstrings of a module; in one that declares tables, also every string in the tables and columns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value, repr(node.value.value + " Said anew.")
        if declares and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Column":
            for one in node.args[2:3]:
                if isinstance(one, ast.Constant):
                    yield one, repr(f"{one.value} Said anew.")
        if declares and isinstance(node, ast.keyword) and node.arg == "grain" and isinstance(node.value, ast.Constant):
            yield node.value, repr(f"{node.value.value}, said anew")


def annotations(tree: ast.Module) -> Iterator[Piece]:
    """Return the annotations of results in a module."""
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    yield from ((node.returns, "object") for node in functions if node.returns)


def reworded(source: str, pieces: list[Piece]) -> str:
    """Replace pieces of a source, and add a comment to it."""
    lines = source.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    content = source.encode()
    for node, text in sorted(pieces, key=lambda piece: (piece[0].lineno, piece[0].col_offset), reverse=True):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        first = starts[node.lineno - 1] + node.col_offset
        last = starts[node.end_lineno - 1] + node.end_col_offset
        content = content[:first] + text.encode() + content[last:]
    return content.decode() + "\n# A comment.\n"
