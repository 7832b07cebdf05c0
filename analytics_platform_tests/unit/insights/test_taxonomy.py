from __future__ import annotations

import cProfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from analytics_platform.insights.taxonomies.taxonomy import DEFAULT_PATH, Label, load_taxonomy
from analytics_platform.insights.taxonomies.taxonomy_file import TaxonomyError
from analytics_platform_tests.cost import least_seconds

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


def refusal(path: Path) -> str:
    with pytest.raises(TaxonomyError) as caught:
        load_taxonomy(path)
    return str(caught.value)


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
        ("Money.", '"Mon\aey."', 3, "the character U+0007 is not allowed"),
        ("intents:", "7: x\nintents:", 6, "7: "),
        ("label: billing", "label: other", 2, "other exists without being named"),
        ("[invoice]", "[one two three four five]", 5, "1 to 4 words"),
        ("[i was charged twice]", "[]", 4, "topics.0.examples"),
        ("[what is it]", "[what is it, yes]", 9, "intents.0.examples.1"),
        ("[i was charged twice]", "[3.5]", 4, "topics.0.examples.0: must be a text, not 3.5"),
        ("label: billing", "label: 12", 2, "topics.0.label"),
        ("label: billing", "label: billing\n    label: bills", 3, "topics.0.label: is here a second time"),
        ("[invoice]", "[invoice]\nintents: []", 7, "intents: is here a second time"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_field(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    problem = refusal(write(tmp_path, GOOD.replace(old, new, 1)))
    assert problem.startswith(f"{tmp_path}/labels.yaml:{line}: ")
    assert words in problem
    assert len(problem.splitlines()) == 1


def test_two_mistakes_are_two_lines_in_the_order_of_the_declaration(tmp_path: Path) -> None:
    first, second = refusal(write(tmp_path, GOOD.replace("description: Asks.", "descripton: Asks."))).splitlines()
    assert first.endswith("labels.yaml:7: intents.0.description: is missing")
    assert second.endswith("labels.yaml:8: intents.0.descripton: is no known field")


def test_every_label_named_again_is_refused_where_it_stands(tmp_path: Path) -> None:
    topic = GOOD[GOOD.index("  - label: billing") : GOOD.index("intents:")]
    assert refusal(write(tmp_path, GOOD.replace("intents:", topic + topic + "intents:"))).splitlines() == [
        f"{tmp_path}/labels.yaml:{line}: topics.{place}.label: billing is named already, further up"
        for place, line in ((1, 6), (2, 10))
    ]


def test_a_file_that_is_no_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "topics:\n  - label: [\n")
    with pytest.raises(TaxonomyError, match=r"labels\.yaml:\d+: not valid YAML"):
        load_taxonomy(path)


@pytest.mark.parametrize("text", ["just words", "[1, 2]", "&a [*a]"])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(write(tmp_path, text)).endswith("labels.yaml:1: taxonomy: must be lines of `key: value`")


def test_an_empty_file_lacks_topics_and_intents(tmp_path: Path) -> None:
    lines = refusal(write(tmp_path, "")).splitlines()
    assert [line.partition(":1: ")[2] for line in lines] == ["topics: is missing", "intents: is missing"]


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_bytes(GOOD.replace("Money", "Größe").encode("latin-1"))
    assert refusal(path) == f"{path}:3: not UTF-8: byte 0xf6; save the file as UTF-8"


@pytest.mark.parametrize("label", ["a\x01b", "2024-13-45"])
def test_what_yaml_itself_cannot_take_is_one_line(tmp_path: Path, label: str) -> None:
    problem = refusal(write(tmp_path, GOOD.replace("billing", label)))
    assert problem.startswith(f"{tmp_path}/labels.yaml:2: ")
    assert len(problem.splitlines()) == 1


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"absent\.yaml: cannot be read"):
        load_taxonomy(tmp_path / "absent.yaml")


@pytest.mark.parametrize("keyword", ["c++*", "wa*ty", "*", "two *", "a* b", "war**"])
def test_a_star_anywhere_but_behind_a_word_is_refused(keyword: str) -> None:
    with pytest.raises(ValidationError, match="right behind a word"):
        Label(label="warranty", description="Repairs.", examples=("is it covered?",), keywords=(keyword,))
    Label(label="warranty", description="Repairs.", examples=("is it covered?",), keywords=("warrant*", "größe*"))


def test_a_number_that_is_none_is_one_line(tmp_path: Path) -> None:
    problem = refusal(write(tmp_path, GOOD.replace("Money.", "!!int abc")))
    assert problem.startswith(f"{tmp_path}/labels.yaml: cannot be read: ")
    assert len(problem.splitlines()) == 1


def test_what_looks_like_a_date_is_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("[i was charged twice]", "[2024-13-45, 2024-01-05]"))
    assert load_taxonomy(path).topics[0].examples == ("2024-13-45", "2024-01-05")


def test_of_many_mistakes_the_first_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    """A wrong field name in each of 2,000 labels took a minute and filled the screen with 4,000 lines."""
    wrong = "".join(f"  - name: t{number}\n    description: d\n    examples: [e]\n" for number in range(1_000))
    path = write(tmp_path, f"topics:\n{wrong}intents:\n{wrong}")
    lines = refusal(path).splitlines()
    assert lines[:2] == [f"{path}:2: topics.0.label: is missing", f"{path}:2: topics.0.name: is no known field"]
    assert lines[20:] == [f"{path}: and 3,980 more mistakes"]


def test_repeated_keys_are_listed_up_to_the_same_number(tmp_path: Path) -> None:
    path = write(tmp_path, "topics: []\n" * 30)
    lines = refusal(path).splitlines()
    assert lines[0] == f"{path}:2: topics: is here a second time"
    assert lines[20:] == [f"{path}: and 9 more mistakes"]


@pytest.mark.slow  # reads files of 40,000 keys
def test_a_file_of_many_keys_is_refused_in_linear_time(tmp_path: Path) -> None:
    """A mapping of 100,000 keys was not refused within 45 s."""

    def seconds(keys: int) -> float:
        path = write(tmp_path, "".join(f"k{number}: 1\n" for number in range(keys)))
        return least_seconds(lambda: refusal(path))

    assert seconds(40_000) < 50 * seconds(4_000)  # 12 times where time is linear, 100 times where it is quadratic


def test_keywords_are_searched_in_one_pass_whatever_their_number(tmp_path: Path) -> None:
    """A search by keyword took 25 s for 1,000 topics with 30 keywords each, in every process that loaded them."""

    def arrow_calls(topics: int) -> int:
        labels = "".join(
            f"  - label: t{number}\n    description: d\n    examples: [e{number}]\n"
            f"    keywords: [a{number}, b{number} c]\n"
            for number in range(topics)
        )
        path = write(tmp_path, f"topics:\n{labels}intents:\n{labels}")
        with cProfile.Profile() as profile:
            load_taxonomy(path)
        return sum(entry.callcount for entry in profile.getstats() if "pyarrow" in str(entry.code))

    assert 0 < arrow_calls(200) == arrow_calls(20)


@pytest.mark.parametrize("blank", ["\\x1f", "\\u2009", "\\x85"])
def test_blanks_around_a_keyword_do_not_matter(tmp_path: Path, blank: str) -> None:
    label = f'  - label: t\n    description: d\n    examples: [e]\n    keywords: ["{blank}no ink{blank}"]\n'
    path = write(tmp_path, f"topics:\n{label}intents:\n{label}")
    assert load_taxonomy(path).topics[0].keywords[0].strip() == "no ink"


def test_a_merge_may_be_overridden(tmp_path: Path) -> None:
    text = (
        GOOD.replace("  - label: ask", "  - &ask\n    label: ask")
        + "  - <<: *ask\n    label: ask_more\n    examples: [and then]\n"
    )
    assert [intent.label for intent in load_taxonomy(write(tmp_path, text)).intents] == ["ask", "ask_more"]


@pytest.mark.parametrize("section", ["topics", "intents"])
def test_a_taxonomy_of_too_many_labels_is_refused_when_it_is_read(tmp_path: Path, section: str) -> None:
    """Ten thousand labels were accepted, and then filled the memory when the engine was built."""
    label = "  - {{label: l{0}, description: One., examples: [thing {0}]}}\n"
    head, tail = GOOD.split("intents:\n")
    parts = {"topics": head.removeprefix("topics:\n"), "intents": tail}
    parts[section] = "".join(label.format(number) for number in range(1_001))
    path = write(tmp_path, "".join(f"{name}:\n{content}" for name, content in parts.items()))
    assert f"{section}: has 1,001 labels; at most 1,000" in refusal(path)
    parts[section] = "".join(label.format(number) for number in range(1_000))
    path = write(tmp_path, "".join(f"{name}:\n{content}" for name, content in parts.items()))
    assert len(getattr(load_taxonomy(path), section)) == 1_000


@pytest.mark.parametrize("section", ["topics", "intents"])
def test_an_example_of_two_labels_is_refused_with_both_labels(tmp_path: Path, section: str) -> None:
    """One example under two labels was accepted, and ruined the fit of both."""
    head, tail = GOOD.split("intents:\n")
    more = "  - label: late\n    description: D.\n    examples: [new, '{}']\n"
    text = {
        "topics": head + more.format("I was  charged twice") + "intents:\n" + tail,
        "intents": GOOD + more.format("WHAT is it"),
    }[section]
    place = text[: text.index("[new")].count("\n") + 1
    first = {"topics": "billing", "intents": "ask"}[section]
    problem = refusal(write(tmp_path, text))
    assert problem.startswith(f"{tmp_path}/labels.yaml:{place}: {section}.1.examples.1: ")
    assert f"is an example of {first} and of late; remove it from one of them" in problem
    assert len(problem.splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("label: billing", "label: My Bills!", "topics.0.label: 'My Bills!' must be of small letters, digits and _"),
        ("label: billing", "label: 2nd", "such as label_2nd"),
        ("Money.", "[a, b]", "topics.0.description: must be a text, not ['a', 'b']"),
        ("[i was charged twice]", "['']", "topics.0.examples.0: must not be empty"),
        ("keywords: [invoice]", "social: perhaps", "topics.0.social: must be true or false, not 'perhaps'"),
        (
            "intents:",
            "rules: [{name: r, kind: mood, label: billing, when: [a], effect: force}]\nintents:",
            "rules.0.kind: 'mood' is none of 'topic', 'intent'",
        ),
        (
            "intents:",
            "rules: [{name: r, kind: topic, label: billing, when: [a], effect: boost, strength: 99}]\nintents:",
            "rules.0.strength: must be at most 20, not 99",
        ),
    ],
)
def test_a_mistake_is_told_in_words_of_the_file_and_not_of_a_library(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    """A label in capitals was answered with "String should match pattern '^[a-z][a-z0-9_]*$'"."""
    problem = refusal(write(tmp_path, GOOD.replace(old, new, 1)))
    assert words in problem
    assert not any(raw in problem for raw in ("should", "Input", "^["))
