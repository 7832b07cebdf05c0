"""What is refused before any work, and which characters never reach a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform import commands
from analytics_platform.defs.resources import Platform
from analytics_platform.doctor import examine
from analytics_platform.errors import UserError
from analytics_platform.plain_text import without_controls
from analytics_platform.settings import load_settings

HOSTILE = ["\x1b", "\x9b", "\x7f", "\u202e", "\u2066", "\u061c", "\u2028", "\ufeff"]


@pytest.fixture
def wrong_taxonomy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A taxonomy whose second line is wrong, in a home that does not exist yet."""
    taxonomy = tmp_path / "labels.yaml"
    taxonomy.write_text("topics:\n  - label: Not Snake\n    description: d\n    examples: [e]\n")
    monkeypatch.setenv("ANALYTICS_TAXONOMY", str(taxonomy))
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    return taxonomy


@pytest.mark.parametrize("command", [commands.run_graph, commands.redrive_days, commands.train_model])
def test_wrong_taxonomy_is_refused_with_its_line_before_any_work(wrong_taxonomy, tmp_path, command):
    with pytest.raises(UserError, match=f"{wrong_taxonomy}:2: "):
        command(Platform(load_settings()))
    assert not (tmp_path / "home").exists()


def test_doctor_names_file_and_line_of_a_wrong_taxonomy(wrong_taxonomy):
    line = next(line for line in examine(load_settings()) if line.what == "inputs")
    assert not line.ok
    assert f"{wrong_taxonomy}:2: " in line.says


@given(st.text(st.one_of(st.characters(), st.sampled_from(HOSTILE))))
def test_terminal_gets_no_control_or_direction_character_of_any_text(text):
    printed = without_controls(text)
    assert not {one for one in printed if unicodedata.category(one) in {"Cc", "Zl", "Zp"}} - {"\t", "\n"}
    assert not {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"} & {
        *map(unicodedata.bidirectional, printed)
    }


def test_emoji_joined_by_zero_width_joiners_and_arabic_stay_whole():
    text = "\U0001f468\u200d\U0001f469 \u0645\u0631\u062d\u0628\u0627"
    assert without_controls(text) == text
