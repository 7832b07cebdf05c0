"""The pages lead to where they say: links, files and functions that they name exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from analytics_platform.settings.loader import PROJECT_ROOT

PAGES = [PROJECT_ROOT / "README.md", PROJECT_ROOT / "CONTRIBUTING.md", *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
PACKAGE = PROJECT_ROOT / "analytics_platform"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.M | re.S)
NAMED_FILE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sql|yml|yaml|parquet|csv|j2|md))`")
STEP = re.compile(r"^\| `([\w/]+\.py)` \| `(\w+)` \|", re.M)
NOTICES = [PROJECT_ROOT / "THIRD_PARTY_NOTICES.md", *sorted(PACKAGE.rglob("NOTICE*"))]
NOTICED_FILE = re.compile(r"\b((?:analytics_platform|training)/[\w./-]+\.\w+)")
NOT_IN_THE_REPOSITORY = re.compile(r"^(lake|reports|staging|warehouse|exports|mongo|dagster)/")
"""Files of a home, and examples of a user's own files."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", CODE_BLOCK.sub("", page.read_text(encoding="utf-8")), re.M)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@cache
def functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@every_page
def test_links_lead_to_pages_and_headings_that_exist(page: Path) -> None:
    """A renamed page or heading leaves links to nowhere."""
    dead = []
    for link in LINK.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@every_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A moved module leaves a page that sends its reader to a file which is gone."""
    named = set(NAMED_FILE.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))))
    roots = (PROJECT_ROOT, PACKAGE, PROJECT_ROOT / "dbt_project")
    gone = [
        name
        for name in sorted(named)
        if not NOT_IN_THE_REPOSITORY.match(name) and not any((root / name).exists() for root in roots)
    ]
    assert gone == []


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: str(notice.relative_to(PROJECT_ROOT)))
def test_files_that_a_notice_names_exist(notice: Path) -> None:
    """A moved module leaves a licence notice that names no file."""
    named = set(NOTICED_FILE.findall(notice.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not (PROJECT_ROOT / name).exists()] == []


def test_each_step_of_the_journey_is_a_function_of_its_file() -> None:
    """A renamed function leaves a journey that nobody can follow."""
    steps = STEP.findall((PROJECT_ROOT / "docs" / "journey.md").read_text(encoding="utf-8"))
    assert len(steps) > 30
    assert [f"{file}: {name}" for file, name in steps if name not in functions(PACKAGE / file)] == []
