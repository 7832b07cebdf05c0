"""Benchmarks rewrite the tables of a page, and nothing else of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from analytics_platform.settings.loader import PROJECT_ROOT

PAGE = "# Title\n\nBefore.\n\n<!-- tables -->\nold\n<!-- end of tables -->\n\nAfter.\n"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, PROJECT_ROOT / "benchmarks" / name)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pages() -> ModuleType:
    return load("common/pages.py")


def test_tables_with_date_and_machine_take_the_place_of_the_old_ones(pages: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for tables in ("| a |\n", "| b |\n"):
        pages.write_tables(page, tables)
    before, measured, table, after = page.read_text().replace("\n\n", "\n").split("\n", 2)[2].split("\n", 3)
    assert (before, table, after) == ("<!-- tables -->", "| b |", "<!-- end of tables -->\nAfter.\n")
    assert measured.startswith("Measured on 20")


@pytest.mark.parametrize(
    "page",
    [
        "",
        PAGE.replace("end of tables -->", "end of tables --> "),
        PAGE + PAGE,
        "<!-- end of tables -->\n<!-- tables -->\n",
    ],
)
def test_a_page_without_its_two_marks_is_left_alone(pages: ModuleType, tmp_path: Path, page: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(page)
    with pytest.raises(ValueError, match="needs the lines <!-- tables --> and <!-- end of tables -->, once each"):
        pages.write_tables(path, "| a |\n")
    assert path.read_text() == page


def test_feelings_are_measured_as_reports_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentiments beyond 0.15 were measured as feelings, and reports count those beyond 0.25."""
    monkeypatch.syspath_prepend(str(PROJECT_ROOT / "benchmarks"))
    gold = load("gold.py")
    values = (-0.26, -0.25, -0.2, 0.2, 0.25, 0.26)
    measured = [gold.answer({"sentiment": value}, "sentiment") for value in values]
    assert measured == ["negative", "neutral", "neutral", "neutral", "neutral", "positive"]
    opposite = [gold.is_right({"sentiment": value}, "opposite", {"sentiment": "negative"}) for value in (-1, 0.1, 0.2)]
    assert opposite == [True, True, False]


@pytest.mark.parametrize("page", ["evaluation.md", "privacy.md"])
def test_the_pages_of_this_project_can_be_written_to(pages: ModuleType, tmp_path: Path, page: str) -> None:
    path = tmp_path / page
    path.write_text((PROJECT_ROOT / "docs" / page).read_text())
    pages.write_tables(path, "| a |\n")
