from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from analytics_platform.insights.engine import build_engine
from analytics_platform.insights.taxonomies.combining import taxonomy_content
from analytics_platform.insights.taxonomies.pack_files import pack_names
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Taxonomy, load_taxonomy
from analytics_platform.insights.taxonomies.taxonomy_file import TaxonomyError
from analytics_platform.insights.tiers.examples import EXAMPLES, as_messages
from analytics_platform.insights.tiers.tier import choose
from analytics_platform.settings.loader import PROJECT_ROOT

KINDS = ("topics", "intents", "urgencies", "resolutions")
PACKS = [name for name in pack_names() if name != "base"]
"""The packs that are taxonomies by themselves; ``base`` has no topics."""

SCRIPTS = {"LATIN", "CYRILLIC", "CJK", "HIRAGANA", "ARABIC", "HANGUL", "DEVANAGARI"}
"""Scripts of the examples' languages, as the names of Unicode characters begin."""

FIRST = """\
topics:
  - label: billing
    description: Money.
    examples: [i was charged twice]
    keywords: [invoice]
  - label: spam
    description: Advertising.
    examples: [buy now]
intents:
  - label: ask
    description: Asks.
    examples: [what is it]
rules:
  - {name: money, kind: topic, label: billing, when: [money], effect: boost, strength: 1.0}
  - {name: adverts, kind: topic, label: spam, when: [cheap], effect: force}
"""


def combine(folder: Path, *texts: str) -> Taxonomy:
    paths = [folder / f"part{number}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return load_taxonomy(tuple(map(str, paths)))


def refusal(folder: Path, *texts: str) -> list[str]:
    with pytest.raises(TaxonomyError) as caught:
        combine(folder, *texts)
    return [line.removeprefix(f"{folder}/") for line in caught.value.faults]


@pytest.mark.parametrize("pack", [name for name in PACKS if name != "demo"])
def test_every_label_of_a_pack_has_eight_examples(pack: str) -> None:
    taxonomy = load_taxonomy((pack,))
    labels = [label for kind in KINDS for label in getattr(taxonomy, kind)]
    assert [label.label for label in labels if len(label.examples) < 8] == []


def test_every_topic_of_the_default_pack_has_examples_in_seven_scripts() -> None:
    """Similarity to English examples alone recognizes texts of other languages, above all of other scripts, badly."""
    topics = load_taxonomy(("general",)).topics
    lacking = {topic.label: SCRIPTS - scripts_of(topic.examples) for topic in topics}
    assert {label: scripts for label, scripts in lacking.items() if scripts} == {}


def scripts_of(texts: Sequence[str]) -> set[str]:
    return {unicodedata.name(character).split()[0] for text in texts for character in text if character.isalpha()}


def test_a_label_means_the_same_in_every_pack_and_an_example_has_one_label() -> None:
    """Packs are combined by their labels' names: another meaning of a name would mix two subjects."""
    descriptions, labels = defaultdict(set), defaultdict(set)
    for pack in PACKS:
        taxonomy = load_taxonomy((pack,))
        for kind in ("topics", "intents"):
            for label in getattr(taxonomy, kind):
                descriptions[kind, label.label].add(label.description)
                for example in label.examples:
                    labels[kind, example.lower()].add(label.label)
    assert {name: found for name, found in descriptions.items() if len(found) > 1} == {}
    assert {name: found for name, found in labels.items() if len(found) > 1} == {}


def test_all_packs_combine_in_any_order() -> None:
    for order in (PACKS, PACKS[::-1]):
        taxonomy = load_taxonomy(tuple(order))
        for pack in order:
            names = {label.label for label in taxonomy.topics}
            assert names >= {label.label for label in load_taxonomy((pack,)).topics}


def test_a_later_part_extends_labels_and_its_description_wins(tmp_path: Path) -> None:
    later = """\
topics:
  - label: warranty
    description: Repairs.
    examples: [is it covered]
  - label: billing
    description: Bills and charges.
    examples: [the bill is wrong, i was charged twice]
    keywords: [bill]
"""
    taxonomy = combine(tmp_path, FIRST, later)
    assert [label.label for label in taxonomy.topics] == ["billing", "spam", "warranty"]
    billing = taxonomy.topics[0]
    assert billing.description == "Bills and charges."
    assert billing.examples == ("i was charged twice", "the bill is wrong")
    assert billing.keywords == ("invoice", "bill")
    assert [rule.name for rule in taxonomy.rules] == ["money", "adverts"]


def test_a_later_part_may_add_only_keywords_to_a_label(tmp_path: Path) -> None:
    billing = combine(tmp_path, FIRST, "topics: [{label: billing, keywords: [vat]}]").topics[0]
    assert (billing.description, billing.keywords) == ("Money.", ("invoice", "vat"))


def test_an_example_that_a_later_part_gives_to_another_label_is_that_labels_alone(tmp_path: Path) -> None:
    """The example stayed with both labels, and neither was recognised by it."""
    later = "topics: [{label: spam, examples: ['I was charged  twice', win a car]}]"
    assert refusal(tmp_path, FIRST, later) == [
        "part1.yaml:1: topics.0.examples: spam takes the last example of billing; give billing another one"
    ]
    taxonomy = combine(tmp_path, FIRST.replace("[i was charged twice]", "[i was charged twice, my bill]"), later)
    assert {label.label: label.examples for label in taxonomy.topics} == {
        "billing": ("my bill",), "spam": ("buy now", "I was charged  twice", "win a car"),
    }  # fmt: skip


def test_rules_are_concatenated_and_one_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    later = """\
rules:
  - {name: vat, kind: topic, label: billing, when: [vat], effect: force}
  - {name: money, kind: topic, label: billing, when: [euros], effect: force}
"""
    rules = combine(tmp_path, FIRST, later).rules
    assert [(rule.name, rule.when) for rule in rules] == [
        ("money", ("euros",)),
        ("adverts", ("cheap",)),
        ("vat", ("vat",)),
    ]


def test_without_removes_labels_with_their_rules_and_the_file_may_name_them_anew(tmp_path: Path) -> None:
    later = """\
without: {topics: [spam, billing], rules: [question_left_open]}
topics: [{label: billing, description: Bills., examples: [pay]}]
"""
    taxonomy = combine(tmp_path, "extends: [base]\n" + FIRST, later)
    assert [(label.label, label.examples) for label in taxonomy.topics] == [("billing", ("pay",))]
    names = {rule.name for rule in taxonomy.rules}
    assert names.isdisjoint({"adverts", "money", "question_left_open"})
    assert "nobody_answered" in names


def test_a_file_that_extends_base_needs_only_topics(tmp_path: Path) -> None:
    topics = FIRST[: FIRST.index("intents:")]
    taxonomy = combine(tmp_path, "extends: [base]\n" + topics)
    assert [label.label for label in taxonomy.topics] == ["billing", "spam"]
    assert taxonomy.intents == load_taxonomy(("general",)).intents
    assert taxonomy.rules == load_taxonomy(("general",)).rules


def test_extended_files_are_found_beside_the_file_and_read_once(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text(FIRST + "extends: [more/own.yaml]\n")  # each of the two extends the other
    (tmp_path / "more").mkdir()
    own = tmp_path / "more" / "own.yaml"
    own.write_text(
        "extends: [../common.yaml]\ntopics: [{label: jobs, description: Work., examples: [are you hiring]}]\n"
    )
    assert [label.label for label in load_taxonomy(own).topics] == ["billing", "spam", "jobs"]


def test_the_shipped_sections_stand_in_a_first_part_without_them(tmp_path: Path) -> None:
    """A file's own rules of topics would otherwise cost the rules of urgency and resolution, when it extends others."""
    shipped = load_taxonomy(("demo",))
    taxonomy = combine(tmp_path, FIRST[: FIRST.index("rules:")], "rules:\n" + FIRST.partition("rules:\n")[2])
    assert taxonomy.urgencies == shipped.urgencies
    assert {"nobody_answered", "says_thanks", "money"} <= {rule.name for rule in taxonomy.rules}


@pytest.mark.parametrize(
    ("later", "lines"),
    [
        (
            "topics: [{label: Billing}]",
            [
                (
                    "part1.yaml:1: topics.0.label: 'Billing' must be of small letters, digits and _ and begin with a "
                    "letter, such as billing"
                )
            ],
        ),
        ("\ntopics:\n  - {label: new, examples: [a]}", ["part1.yaml:3: topics.0.description: is missing"]),
        ("topics:\n  - {label: new, description: Two words.}", ["part1.yaml:2: topics.0.examples: is missing"]),
        ("topic: []", ["part1.yaml:1: topic: is no known field"]),
        (
            "without: {topics: [spam, spams]}",
            ["part1.yaml:1: without.topics.1: spams is no topic of the parts before this one"],
        ),
        ("without: [spam]", ["part1.yaml:1: without: must be lines of `key: value`"]),
        ("extends: general", ["part1.yaml:1: extends: must be a list"]),
        (
            "rules:\n  - {name: r, kind: topic, label: absent, when: [a], effect: force}",
            ["part1.yaml:2: rules.0.label: absent is no topic of this taxonomy"],
        ),
        ("just words", ["part1.yaml:1: taxonomy: must be lines of `key: value`"]),
    ],
)
def test_a_mistake_names_the_part_and_the_line_in_it(tmp_path: Path, later: str, lines: list[str]) -> None:
    assert refusal(tmp_path, FIRST, later) == lines


def test_mistakes_of_two_parts_are_told_together(tmp_path: Path) -> None:
    lines = refusal(tmp_path, FIRST.replace("[i was charged twice]", "[]"), "intents:\n  - {description: d}")
    assert [line.partition(": ")[0] for line in lines] == ["part0.yaml:4", "part1.yaml:2"]


@pytest.mark.parametrize("name", ["generel", "~nobody-of-this-name/x", "/dev/null/x", ".", "a" * 5_000])
def test_a_part_that_extends_nothing_known_is_refused_with_the_packs(tmp_path: Path, name: str) -> None:
    (line,) = refusal(tmp_path, f"topics: []\nextends:\n  - {name}\n")
    assert line.startswith(f"part0.yaml:3: extends.0: {name} is neither an existing file nor one of the packs banking,")


def test_the_version_follows_the_content_of_every_part(tmp_path: Path) -> None:
    first = combine(tmp_path, "extends: [base]\n" + FIRST).version
    assert combine(tmp_path, "extends: [base]  # a comment\n" + FIRST).version == first
    assert combine(tmp_path, "extends: [general]\n" + FIRST).version != first


def test_the_content_covers_extended_files_and_survives_wrong_ones(tmp_path: Path) -> None:
    """The code version in the graph stayed the same after an edit of a file that only another file names."""
    common, own = tmp_path / "common.yaml", tmp_path / "own.yaml"
    own.write_text("extends: [common.yaml]\n")
    common.write_text(FIRST)
    before = taxonomy_content([str(own)])
    common.write_text(FIRST + "# more\n")
    assert taxonomy_content([str(own)]) != before
    own.write_text("extends: [")
    assert taxonomy_content([str(own)]) != before


@pytest.mark.slow  # fits models
def test_the_engine_labels_by_combined_packs_and_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("""\
topics:
  - label: watering
    description: When and how much to water a plant.
    examples: [how often do i water a cactus, my fern has dry leaves, how much water does an orchid need]
    keywords: [watering, water]
""")
    engine = build_engine(taxonomy_path=("general", "ecommerce", str(own)))
    texts = {
        "where is my parcel, the tracking says delivered": "delivery",
        "how do i return these shoes": "refund_return",
        "can you send me the invoice again": "billing_invoices",
        "is this jacket back in stock soon": "stock_availability",
        "how often should i water the orchid": "watering",
    }
    rows = [
        {"item": text, "kind": "topic", "label": "", "messages": [{"role": "user", "text": text}], "source": ""}
        for text in texts
    ]
    messages = as_messages(EXAMPLES.from_rows(rows))
    labelled = engine.label_messages(messages, engine.embed_messages(messages)).to_pylist()
    assert {row["conversation_id"]: row["topics"][0]["label"] for row in labelled} == texts


@pytest.mark.slow
def test_the_general_pack_says_other_where_nothing_fits() -> None:
    """Examples whose label is left out resemble other labels of a large pack, so that hardly any text was `other`."""
    trivia = [
        "who was the nineteenth president of the united states",
        "how many teeth does a shark have",
        "does water boil faster on a mountain",
        "what did the stock market do yesterday",
        "how tall is the tallest tree in the world",
        "which team won the cup in 1998",
        "why do cats purr",
        "when did the roman empire fall",
    ]
    service = [
        "where is my parcel",
        "i forgot my password",
        "please cancel my subscription",
        "i was charged twice this month",
        "the app crashes when i open it",
        "how do i return these shoes",
        "i want to talk to a person",
    ]
    answer = build_engine("static", "cpu", ("general",)).classify_texts("topic", [*trivia, *service])
    other = answer.labels.index(OTHER)
    chosen = choose(answer.confidence, other) == other
    assert chosen[: len(trivia)].mean() > 0.4
    assert not chosen[len(trivia) :].any()
    assert answer.confidence[: len(trivia), other].mean() > 10 * answer.confidence[len(trivia) :, other].mean()


@pytest.mark.slow
def test_the_texts_beside_a_text_do_not_change_its_confidence() -> None:
    """Products in single precision did, so that one of 1,300 partitions had another content in blocks of other days."""
    rows = pq.read_table(PROJECT_ROOT / "analytics_platform" / "sample" / "conversations.parquet", columns=["text"])
    texts = [text for text in rows["text"].slice(0, 600).to_pylist() if text]
    engine = build_engine(taxonomy_path=("general",))
    for kind in ("topic", "intent", "sentiment"):
        together = engine.classify_texts(kind, texts).confidence
        for some in (slice(0, 23), slice(23, 24)):
            alone = engine.classify_texts(kind, texts[some]).confidence
            np.testing.assert_allclose(alone, together[some], rtol=0, atol=1e-12)
