"""The page that explains the tables lists them as they are declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.errors import UserError
from analytics_platform.model.docs import data_model_markdown, data_model_page

PAGE = Path(__file__).parents[3] / "docs" / "data-model.md"


def test_the_listing_on_the_page_is_the_one_that_the_declarations_make() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert data_model_page(page) == page
    assert data_model_markdown().strip() in page


def test_the_listing_replaces_what_stands_below_the_mark() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, heading, _ = page.partition("#### raw_conversations")
    assert data_model_page(f"{before}{heading}\n\nA table that is gone.\n") == page


def test_a_page_without_the_mark_is_refused() -> None:
    """The command would write the listing over the text that people wrote."""
    with pytest.raises(UserError, match="is missing"):
        data_model_page("# Data model\n")


def test_the_listing_names_types_units_and_labels() -> None:
    listing = data_model_markdown()
    assert "| `topics` | list of {label: string, count: int64} |" in listing
    assert "| `hourly_conversations` | list of 24 int64 |" in listing
    assert "Unit: s." in listing
    assert "One of `agent`, `assistant`, `system`, `tool`, `user`." in listing
