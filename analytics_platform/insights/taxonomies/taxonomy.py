"""The taxonomy: labels, the evidence for them, and rules that override the evidence.

The module reads and validates the YAML file; `tiers.static` weighs the evidence, and `label_rules` applies the rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias, TypeVar

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from analytics_platform.insights.encoders.words import TermMatcher, count_words, is_matchable, require_term
from analytics_platform.insights.taxonomies.combining import (
    EXTENDS,
    RULES,
    WITHOUT,
    combine,
    plain_example,
    read_taxonomy_parts,
)
from analytics_platform.insights.taxonomies.mistakes import mistakes_of, refuse
from analytics_platform.insights.taxonomies.pack_files import DEMO, part_file
from analytics_platform.insights.taxonomies.quoting import quoting
from analytics_platform.insights.taxonomies.taxonomy_file import TaxonomyError, TaxonomyFile
from analytics_platform.model.tables.insight_tables import RESOLUTIONS, URGENCIES
from analytics_platform.system.yaml_file import Location

OTHER = "other"
"""Label of texts that fit no topic or intent; every taxonomy has it without naming it."""
REMAINDERS = {"topic": OTHER, "intent": OTHER, "sentiment": "neutral", "urgency": "normal", "resolution": "unclear"}
"""The remainder label of each kind: it applies without evidence if no other label fits. No rule can forbid it."""
FIXED_LABELS = {
    "sentiment": ("negative", "neutral", "positive"),
    "urgency": URGENCIES,
    "resolution": RESOLUTIONS,
}
"""Labels of the kinds with fixed labels; a taxonomy can change only the evidence for them."""

DEFAULT_PATH = part_file(DEMO)
"""The demo's pack. Files that extend nothing get from it the sections that they lack."""

TaxonomyParts: TypeAlias = Path | tuple[str, ...]
"""A file, or names of packs and paths of files, which are combined in this order."""

MOST_LABELS = 1_000
"""Most topics, and most intents, of a taxonomy. Making the heads of 1,000 topics and 1,000 intents with five examples
and three keywords each took 9 CPU-seconds and 370 MB, of 2,000 each 17 s and 640 MB; keyword memory grows with the
square of the labels, and every message is scored for every label."""

_MOST_STRENGTH = 20.0
"""Largest boost of a rule in log-odds; a stronger rule should force or forbid."""

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


_MISPLACED_STAR = re.compile(r"\*.|(?<!\w)\*")


def _not_reserved(label: str) -> str:
    if label == OTHER:
        raise ValueError(f"{OTHER} exists without being named; remove it")
    return label


def _can_be_searched(keywords: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    return _searchable(keywords, info.context)


_Stakes = Literal["normal", "low", "none"]
_LabelName = Annotated[_Name, AfterValidator(_not_reserved)]
_Keywords = Annotated[tuple[_Text, ...], AfterValidator(_can_be_searched)]


class Label(BaseModel):
    """One topic, intent, urgency or resolution.

    Attributes:
        label: Its name, snake_case.
        description: What it stands for, in one sentence.
        examples: Things people say that belong to it.
        keywords: Words and phrases that are evidence for it; ``word*`` is every word that begins so.
        social: For intents: speech that keeps a conversation going; never what a customer came for when
            another intent is there.
        stakes: For topics and intents: what a wait costs the customer where no word tells of haste. ``low``: little, so
            that the urgency is low, and the resolution of a social intent unclear. ``none``: the same, and what has
            such an intent has no topic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: _LabelName
    description: _Text
    examples: tuple[_Text, ...] = Field(min_length=1)
    keywords: _Keywords = ()
    social: bool = False
    stakes: _Stakes = "normal"


class LabelPart(BaseModel):
    """A label as one of several parts states it; what it leaves out, an earlier part states."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: _LabelName
    description: _Text | None = None
    examples: tuple[_Text, ...] = Field(default=(), min_length=1)
    keywords: _Keywords = ()
    social: bool = False
    stakes: _Stakes = "normal"


class LabelRule(BaseModel):
    """Something that goes before the evidence: where its condition holds, it forces, forbids or boosts a label.

    Attributes:
        name: Its name, snake_case, as it stands in reasons.
        kind: The kind of label.
        label: The label of that kind.
        when: Keywords, as those of a label; one of them is enough.
        regex: A regular expression in RE2's syntax, found anywhere in a text whatever its case; takes linear time.
        ending: A way for a conversation to end: ``unanswered`` when the customer speaks last and asks or reports
            something, ``no_answer`` when the other side never spoke. Urgency and resolution only.
        who: Whose messages are looked at: ``customer`` or ``agent`` (person or assistant); everybody's when None.
        effect: ``force`` makes the label the chosen one, ``forbid`` one that is never chosen, ``boost`` adds to its
            log-odds. A forbidden label is not forced; of several forced ones the first in the file is chosen.
        strength: For ``boost``: log-odds added, negative to weaken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name
    kind: Literal["topic", "intent", "sentiment", "urgency", "resolution"]
    label: _Name
    when: _Keywords = ()
    regex: _Text | None = None
    ending: Literal["unanswered", "no_answer"] | None = None
    who: Literal["customer", "agent"] | None = None
    effect: Literal["force", "forbid", "boost"]
    strength: Annotated[float, Field(ge=-_MOST_STRENGTH, le=_MOST_STRENGTH)] | None = None

    @field_validator("regex", mode="after")
    @classmethod
    def _can_be_matched(cls, regex: str | None) -> str | None:
        if regex is not None:
            try:
                fires_on_nothing = pc.match_substring_regex(pa.array([""]), regex, ignore_case=True)[0].as_py()
                pc.match_substring_regex(pa.array([""]), quoting(regex))
            except pa.ArrowInvalid as error:
                raise ValueError(f"not a regular expression of RE2: {error}") from None
            if fires_on_nothing:
                raise ValueError("matches the empty text, so it would fire everywhere")
        return regex

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        conditions = [name for name in ("when", "regex", "ending") if getattr(self, name)]
        if len(conditions) != 1:
            raise ValueError(f"needs exactly one of when, regex and ending, has {' and '.join(conditions) or 'none'}")
        if self.ending and (self.who or self.kind not in ("urgency", "resolution")):
            raise ValueError("ending is for rules of urgency and resolution, and does not go with who")
        if (self.effect == "boost") != bool(self.strength):
            raise ValueError("boost needs a strength other than 0, in log-odds; force and forbid take none")
        if self.effect == "forbid" and self.label == REMAINDERS[self.kind]:
            raise ValueError(f"{self.label} cannot be forbidden: it is what remains when no {self.kind} fits")
        return self


_AnyLabel = TypeVar("_AnyLabel", Label, LabelPart)


class _Sections(BaseModel):
    """The checks that a whole taxonomy and one part of it have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("topics", "intents", mode="before", check_fields=False)
    @classmethod
    def _labels_are_not_too_many(cls, labels: object) -> object:
        if isinstance(labels, list | tuple) and len(labels) > MOST_LABELS:
            raise ValueError(
                f"has {len(labels):,} labels; at most {MOST_LABELS:,} can be told apart; merge or remove some"
            )
        return labels

    @field_validator("topics", "intents", "urgencies", "resolutions", mode="after", check_fields=False)
    @classmethod
    def _labels_are_distinct(cls, labels: tuple[_AnyLabel, ...]) -> tuple[_AnyLabel, ...]:
        _require_distinct("label", [label.label for label in labels])
        return labels

    @field_validator("topics", "intents", "urgencies", "resolutions", mode="after", check_fields=False)
    @classmethod
    def _examples_have_one_label(cls, labels: tuple[_AnyLabel, ...]) -> tuple[_AnyLabel, ...]:
        owner: dict[str, str] = {}
        mistakes: list[tuple[Location, str]] = []
        for place, label in enumerate(labels):
            for number, example in enumerate(label.examples):
                first = owner.setdefault(plain_example(example), label.label)
                if first != label.label:
                    message = f"{example!r} is an example of {first} and of {label.label}; remove it from one of them"
                    mistakes.append(((place, "examples", number), message))
        refuse(mistakes)
        return labels

    @field_validator("rules", mode="after", check_fields=False)
    @classmethod
    def _names_are_distinct(cls, rules: tuple[LabelRule, ...]) -> tuple[LabelRule, ...]:
        _require_distinct("name", [rule.name for rule in rules])
        return rules

    @field_validator("urgencies", "resolutions", mode="after", check_fields=False)
    @classmethod
    def _labels_are_known(cls, labels: tuple[_AnyLabel, ...], info: ValidationInfo) -> tuple[_AnyLabel, ...]:
        kind = {"urgencies": "urgency", "resolutions": "resolution"}[str(info.field_name)]
        wanted = [label for label in FIXED_LABELS[kind] if label != REMAINDERS[kind]]
        refuse(
            ((place, "label"), f"{label.label} is none of {', '.join(wanted)}")
            for place, label in enumerate(labels)
            if label.label not in wanted
        )
        return labels


class Without(BaseModel):
    """Names of labels and rules of earlier parts that a part removes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: tuple[_Name, ...] = ()
    intents: tuple[_Name, ...] = ()
    rules: tuple[_Name, ...] = ()


class TaxonomyPart(_Sections):
    """One of several packs and files that are combined.

    Attributes:
        extends: Packs and files that come before this part; relative paths start from the folder of this part.
        without: What this part removes from the parts before it.
        topics: Topics; of a label of an earlier part, the additions and changes.
        intents: Intents.
        urgencies: Urgencies.
        resolutions: Resolutions.
        rules: Rules; a rule replaces an earlier one of its name.
    """

    extends: tuple[_Text, ...] = ()
    without: Without = Without()
    topics: tuple[LabelPart, ...] = ()
    intents: tuple[LabelPart, ...] = ()
    urgencies: tuple[LabelPart, ...] = ()
    resolutions: tuple[LabelPart, ...] = ()
    rules: tuple[LabelRule, ...] = ()


class Taxonomy(_Sections):
    """All labels and rules, in the order of the file.

    Attributes:
        topics: What conversations are about.
        intents: What speakers want.
        urgencies: Evidence for how soon an answer is needed; ``normal`` needs none. Those shipped when left out.
        resolutions: Evidence for how it ended; ``unclear`` needs none. Those shipped when left out.
        rules: Rules; when left out, those shipped for urgency and resolution.
    """

    topics: tuple[Label, ...] = Field(min_length=1)
    intents: tuple[Label, ...] = Field(min_length=1)
    urgencies: tuple[Label, ...] = Field(min_length=1)
    resolutions: tuple[Label, ...] = Field(min_length=1)
    rules: tuple[LabelRule, ...] = ()

    @field_validator("rules", mode="after")
    @classmethod
    def _labels_of_rules_exist(cls, rules: tuple[LabelRule, ...], info: ValidationInfo) -> tuple[LabelRule, ...]:
        known = {kind: {*labels} for kind, labels in FIXED_LABELS.items()}
        for kind, section in (("topic", "topics"), ("intent", "intents")):
            if section in info.data:  # else it has errors of its own
                known[kind] = {OTHER, *(label.label for label in info.data[section])}
        refuse(
            ((place, "label"), f"{rule.label} is no {rule.kind} of this taxonomy")
            for place, rule in enumerate(rules)
            if rule.label not in known.get(rule.kind, {rule.label})
        )
        return rules

    @property
    def version(self) -> str:
        """Hash of the content, independent of the file's comments and layout."""
        content = self.model_dump(mode="json")
        for label in (*content["topics"], *content["intents"], *content["urgencies"], *content["resolutions"]):
            if label["stakes"] == "normal":  # a taxonomy without stakes keeps the version that it had before them
                del label["stakes"]
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def load_taxonomy(parts: TaxonomyParts | None = None) -> Taxonomy:
    """Read, combine and validate a taxonomy.

    Args:
        parts: A file, or packs and files in the order in which they are combined; the demo's pack when None.

    Raises:
        TaxonomyError: If a file cannot be read or is wrong, or if all together are no valid taxonomy.
    """
    files = read_taxonomy_parts([parts] if isinstance(parts, Path) else parts or (DEMO,))
    if len(files) == 1 and not _is_part(files[0].content):
        content = files[0].content if files[0].content is not None else {}
        return _validate(
            Taxonomy, {**_defaults(), **content} if isinstance(content, dict) else content, files[0].problems
        )
    problems: list[str] = []
    for file in files:
        try:
            _validate(TaxonomyPart, file.content if file.content is not None else {}, file.problems)
        except TaxonomyError as error:
            problems += error.faults
    if problems:
        raise TaxonomyError(*problems)
    combined = combine(files, _defaults())
    return _validate(Taxonomy, combined.content, lambda mistakes: combined.problems(mistakes, files[-1]))


def _is_part(content: object) -> bool:
    return isinstance(content, dict) and (EXTENDS in content or WITHOUT in content)


@lru_cache(maxsize=1)
def _defaults() -> dict[str, Any]:
    """Return the default sections of a file that omits them; their kinds have the same labels in every taxonomy."""
    shipped = TaxonomyFile.read(DEFAULT_PATH).content
    rules = [rule for rule in shipped[RULES] if rule["kind"] in FIXED_LABELS]
    return {"urgencies": shipped["urgencies"], "resolutions": shipped["resolutions"], "rules": rules}


_Model = TypeVar("_Model", bound=BaseModel)


def _validate(model: type[_Model], content: Any, problems: Callable[[list[tuple[Location, str]]], list[str]]) -> _Model:
    """Return the content as a model.

    Args:
        model: The model.
        content: The content.
        problems: Writes the lines of the error for mistakes at locations in the content.

    Raises:
        TaxonomyError: If the content has mistakes.
    """
    try:
        return model.model_validate(content, context=_words_of_keywords(content))
    except ValidationError as error:
        mistakes = [mistake for item in error.errors(include_url=False) for mistake in mistakes_of(item)]
        raise TaxonomyError(*problems(mistakes)) from None


def _words_of_keywords(content: object) -> dict[str, int]:
    """Return the number of words of every keyword and of every rule's `when`.

    All keywords are counted in one call: counting 31,000 keywords label by label took nine tenths of the loading time.
    """
    sections = content.values() if isinstance(content, dict) else ()
    items = (item for section in sections if isinstance(section, list) for item in section if isinstance(item, dict))
    lists = (item.get(field) for item in items for field in ("keywords", "when"))
    found = {one.strip() for some in lists if isinstance(some, list) for one in some if isinstance(one, str)}
    return _counted(list(found))


def _counted(keywords: Sequence[str]) -> dict[str, int]:
    return dict(zip(keywords, count_words(keywords).tolist(), strict=True))


def _searchable(keywords: tuple[str, ...], words_of: Mapping[str, int] | None) -> tuple[str, ...]:
    """Return keywords in lower case and without repeats; refuse keywords that cannot be searched for.

    Args:
        keywords: Keywords of one label or rule.
        words_of: Number of words of each keyword; computed here if it lacks one.
    """
    for keyword in keywords:
        if _MISPLACED_STAR.search(keyword):
            raise ValueError(
                f"{keyword!r}: * stands right behind a word, at the end; for other patterns use a rule's regex"
            )
    if words_of is None or not words_of.keys() >= set(keywords):
        words_of = _counted(keywords)
    counts = [words_of[keyword] for keyword in keywords]
    for keyword, count in zip(keywords, counts, strict=True):
        require_term(keyword, count)
    if not is_matchable(sum(counts), max(counts, default=1)):
        TermMatcher(keywords)  # counts each word once, and refuses too many words
    return tuple(dict.fromkeys(keyword.lower() for keyword in keywords))


def _require_distinct(field: str, names: Sequence[str]) -> None:
    first = {name: place for place, name in reversed(list(enumerate(names)))}
    refuse(
        ((place, field), f"{name} is named already, further up")
        for place, name in enumerate(names)
        if first[name] < place
    )
