"""Stakes of labels: greetings have no subject, and small talk can wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.taxonomies.taxonomy import TaxonomyError, load_taxonomy

Build = Callable[[Sequence[Any]], pa.Table]
_TAXONOMY = """
topics: [{label: a, description: about a, examples: [a thing]}]
intents: [{label: b, description: wants b, examples: [give me b], social: true%s}]
rules: []
"""


def _label(build_messages: Build, text: str) -> dict[str, Any]:
    engine = build_engine(taxonomy_path=("general",))
    messages = build_messages([("c", "user", text)])
    embeddings = engine.embed_messages(messages)
    rows = engine.label_conversations(messages, embeddings, engine.label_messages(messages, embeddings))
    return dict(rows.to_pylist()[0])


@pytest.mark.parametrize("text", ["hello", "buenas a todos", "good morning everyone"])
def test_a_greeting_has_no_topic_can_wait_and_settles_nothing(build_messages: Build, text: str) -> None:
    """Greetings were data export and product information, of normal urgency and unresolved."""
    row = _label(build_messages, text)
    assert (row["primary_topic"], row["urgency"], row["resolution"]) == ("other", "low", "unclear")


def test_a_greeting_before_a_request_takes_nothing_from_its_topic(build_messages: Build) -> None:
    row = _label(build_messages, "hello, where is my parcel? it should have been here on monday")
    assert (row["primary_topic"], row["urgency"], row["resolution"]) == ("delivery", "normal", "unresolved")


def test_words_of_haste_outweigh_the_stakes_of_an_intent(build_messages: Build) -> None:
    assert _label(build_messages, "hello?? this is urgent")["urgency"] == "high"


def test_a_taxonomy_without_stakes_keeps_its_version(tmp_path: Path) -> None:
    """A new version makes the LLM's paid answers useless."""
    path = tmp_path / "own.yaml"
    versions = []
    for stakes in ("", ", stakes: normal", ", stakes: none"):
        path.write_text(_TAXONOMY % stakes)
        versions.append(load_taxonomy(path).version)
    assert versions[0] == versions[1] != versions[2]


def test_unknown_stakes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(_TAXONOMY % ", stakes: some")
    with pytest.raises(TaxonomyError, match=r"stakes"):
        load_taxonomy(path)
