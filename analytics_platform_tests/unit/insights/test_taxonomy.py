from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.insights.taxonomy import DEFAULT_PATH, TaxonomyError, load_taxonomy

GOOD = """\
topics:
  - label: billing
    description: Money.
    examples: [i was charged twice]
    keywords: [invoice]
intents:
  - label: ask
    description: Asks.
    examples: [what is it]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_taxonomy_shipped_is_valid_and_names_every_label_once() -> None:
    taxonomy = load_taxonomy()
    assert len(taxonomy.topics) > 25
    assert {"ask_how_to", "report_problem", "thank"} <= {intent.label for intent in taxonomy.intents}


def test_the_version_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    first = load_taxonomy(write(tmp_path, GOOD)).version
    assert (
        load_taxonomy(write(tmp_path, "# a comment\n" + GOOD.replace("[invoice]", "\n      - invoice"))).version
        == first
    )
    assert load_taxonomy(write(tmp_path, GOOD.replace("invoice", "bill"))).version != first
    assert load_taxonomy(DEFAULT_PATH).version == load_taxonomy().version


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("label: billing", "label: Billing", 2, "topics.0.label"),
        ("label: billing", "label: other", 2, "other exists without being named"),
        ("[invoice]", "[one two three four five]", 5, "1 to 4 words"),
        ("[i was charged twice]", "[]", 4, "topics.0.examples"),
        ("description: Asks.", "descripton: Asks.", 7, "intents.0.description"),
        ("[what is it]", "[what is it, yes]", 9, "intents.0.examples.1"),
        ("intents:", "intent:", 1, "intents: Field required"),
    ],
)
def test_an_error_names_file_line_and_field(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(TaxonomyError) as caught:
        load_taxonomy(path)
    assert f"{path}:{line}: " in str(caught.value)
    assert words in str(caught.value)


def test_a_label_named_twice_is_refused(tmp_path: Path) -> None:
    topic = GOOD[GOOD.index("  - label: billing") : GOOD.index("intents:")]
    with pytest.raises(TaxonomyError, match="topics names billing more than once"):
        load_taxonomy(write(tmp_path, GOOD.replace("intents:", topic + "intents:")))


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "topics:\n  - label: [\n")
    with pytest.raises(TaxonomyError, match=r"labels\.yaml:\d+: not valid YAML"):
        load_taxonomy(path)


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TaxonomyError, match=r"labels\.yaml:1: "):
        load_taxonomy(write(tmp_path, text))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"absent\.yaml: cannot be read"):
        load_taxonomy(tmp_path / "absent.yaml")
