"""The taxonomy: which topics and intents there are, and what is evidence for them.

Belongs here: reading and validating the YAML file. Does not belong here: how evidence is weighed (``static``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from analytics_platform.errors import UserError
from analytics_platform.insights.words import TermMatcher

OTHER = "other"
"""The label of what no label fits; every set of labels has it without naming it."""

DEFAULT_PATH = Path(__file__).with_name("taxonomy.yaml")

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class TaxonomyError(UserError, ValueError):
    """The taxonomy file is wrong; each line of the message names file, line and what to mend."""


class Label(BaseModel):
    """One topic or intent.

    Attributes:
        label: Its name, snake_case.
        description: What it stands for, in one sentence.
        examples: Things people say that belong to it.
        keywords: Words and phrases that are evidence for it; ``word*`` is every word that begins so.
        social: For intents: speech that keeps a conversation going; never what a customer came for when
            another intent is there.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    description: _Text
    examples: tuple[_Text, ...] = Field(min_length=1)
    keywords: tuple[_Text, ...] = ()
    social: bool = False

    @field_validator("label", mode="after")
    @classmethod
    def _not_reserved(cls, label: str) -> str:
        if label == OTHER:
            raise ValueError(f"{OTHER} exists without being named; remove it")
        return label

    @field_validator("keywords", mode="after")
    @classmethod
    def _can_be_searched(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        if keywords:
            TermMatcher(keywords)
        return tuple(dict.fromkeys(keyword.lower() for keyword in keywords))


class Taxonomy(BaseModel):
    """All topics and intents, in the order of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: tuple[Label, ...] = Field(min_length=1)
    intents: tuple[Label, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> Taxonomy:
        for kind, labels in (("topics", self.topics), ("intents", self.intents)):
            names = [label.label for label in labels]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} names {', '.join(twice)} more than once")
        return self

    @property
    def version(self) -> str:
        """Hash of the content; comments and layout of the file do not matter."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:16]


def load_taxonomy(path: Path | None = None) -> Taxonomy:
    """Read a taxonomy.

    Args:
        path: YAML file; the one shipped when None.

    Raises:
        TaxonomyError: If the file cannot be read or does not describe a taxonomy.
    """
    path = path or DEFAULT_PATH
    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        root = loader.get_single_node()
        content = loader.construct_document(root) if root is not None else None
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise TaxonomyError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    try:
        return Taxonomy.model_validate(content)
    except ValidationError as error:
        lines = [
            f"{path}:{_line_of(root, item['loc'])}: {'.'.join(map(str, item['loc'])) or 'taxonomy'}: {_message(item)}"
            for item in error.errors(include_url=False)
        ]
        raise TaxonomyError("\n".join(lines)) from None


def _message(item: Any) -> str:
    return str(item["msg"]).removeprefix("Value error, ")


def _line_of(node: yaml.Node | None, location: Sequence[str | int]) -> int:
    """Return the line, from 1, of the deepest node on the way to ``location``."""
    for step in location:
        found = _child(node, step)
        if found is None:
            break
        node = found
    return node.start_mark.line + 1 if node is not None else 1


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None
