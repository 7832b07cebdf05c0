"""The page that explains the tables lists them as they are declared."""

from __future__ import annotations

from pathlib import Path

from analytics_platform.model.docs import data_model_markdown

PAGE = Path(__file__).parents[3] / "docs" / "data-model.md"
MARK = "a test compares. -->\n"


def test_the_listing_on_the_page_is_the_one_that_the_declarations_make() -> None:
    _, _, listing = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert listing.strip() == data_model_markdown().strip()


def test_the_listing_names_types_units_and_labels() -> None:
    listing = data_model_markdown()
    assert "| `topics` | list of {label: string, count: int64} |" in listing
    assert "| `hourly_conversations` | list of 24 int64 |" in listing
    assert "Unit: s." in listing
    assert "One of `agent`, `assistant`, `system`, `tool`, `user`." in listing
