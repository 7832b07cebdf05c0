from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.tiers.sentiment import SLICE_PATH, WEIGHTS_PATH, load_sentiment, save_sentiment


def test_a_head_is_read_as_it_was_written(tmp_path: Path) -> None:
    head = load_sentiment()
    save_sentiment(head, tmp_path / "head.safetensors")
    assert (tmp_path / "head.safetensors").read_bytes() == WEIGHTS_PATH.read_bytes()


def test_the_slice_is_small_and_its_sources_and_licences_are_named() -> None:
    notice = SLICE_PATH.with_name("NOTICE").read_text(encoding="utf-8")
    assert SLICE_PATH.stat().st_size <= 600_000
    for source in pc.unique(pq.read_table(SLICE_PATH)["source"]).to_pylist():
        (line,) = [line for line in notice.splitlines() if line.startswith(source)]
        assert "CC BY 4.0" in line


@pytest.mark.parametrize("word", ["mình", "không", "tôi"])
def test_the_slice_has_no_intruders_of_another_language(word: str) -> None:
    texts = pq.read_table(SLICE_PATH)["text"]
    assert not pc.any(pc.match_substring_regex(texts, rf"(?i)\b{word}\b")).as_py()
