"""What an edit of the package makes stale: the whole package is copied, edited, and asked for its versions."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analytics_platform.settings.loader import PROJECT_ROOT

ASK = """
import json
from analytics_platform.definitions import TABLES, LEARNING
from analytics_platform.insights.engine import build_engine
versions = {asset.key.to_user_string(): asset.recipe.code_version for asset in [*TABLES, *LEARNING]}
print(json.dumps({**versions, "engine": build_engine("static", device="cpu").version}))
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package that may be edited."""
    place = tmp_path / "analytics_platform"
    shutil.copytree(PROJECT_ROOT / "analytics_platform", place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def versions(package: Path) -> dict[str, str]:
    """Return the code version of each table, and of the engine, as a package has them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANALYTICS_")}
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=package.parent,
        env={**environment, "PYTHONPATH": str(package.parent), "ANALYTICS_HOME": str(package.parent / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: dict[str, str] = json.loads(asked.stdout)
    return found


def test_an_edited_docstring_of_every_module_makes_nothing_stale(copy: Path) -> None:
    """A reworded docstring made every partition of every user stale."""
    before = versions(copy)
    edited = 0
    for module in copy.rglob("*.py"):
        source = module.read_text(encoding="utf-8")
        for said in docstrings(source):
            source = source.replace(said, said + " Said anew.", 1)
            edited += 1
        module.write_text(source + "\n# A comment.\n", encoding="utf-8")
    assert edited > 500
    assert versions(copy) == before


def test_an_edited_constant_makes_stale_what_its_package_computes(copy: Path) -> None:
    before = versions(copy)
    module = copy / "analytics" / "summary.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nDECIMALS_OF_TEST = 3\n", encoding="utf-8")
    after = versions(copy)
    assert {name for name, version in after.items() if version != before[name]} == {
        "daily_metrics",
        "user_daily",
        "agent_daily",
        "model_daily",
        "user_analytics",
    }


def docstrings(source: str) -> list[str]:
    """Return the docstrings of a module that stand in it as they read."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, documented))
    texts = (ast.get_docstring(node, clean=False) for node in nodes)
    return [text for text in texts if text and source.count(text) == 1 and "\\" not in text and len(text) > 20]
