"""What people say about discovered topics: other names, merges and parents; topics that stay or are not shown.

They say it in a file and in the collection ``topic_curation`` of MongoDB, whose documents have the same fields, the
identifier as ``_id``, and ``changed_at`` instead of ``date``. Of a topic or parent that both name, the file counts.

The file has a mapping ``topics`` from identifiers of topics, and a mapping ``parents`` from identifiers of parents:

```yaml
topics:
  t-7e25db8d33: {name: Seat changes, date: 2026-11-30}
  t-0c5d1b2f4e: {merge_into: t-7e25db8d33}
  t-93aa01c7d2: {parent: p-4410bd27c9, pinned: true}
  t-5f3e8a9b10: {hidden: true}
parents:
  p-4410bd27c9: {name: Flights}
```
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import on_one_line
from analytics_platform.system.yaml_file import YamlFile

PARENT = "p-"
"""Begins the identifier of a parent."""
_LONGEST_NAME = 80
_UNSEEN = {"Cc", "Cf", "Zl", "Zp"}
"""Unicode categories of characters that a name must not have: controls, formats, separators of lines."""
_JOINERS = "\u200c\u200d"
"""Format characters that words of some languages, and emojis, need."""


class CurationError(UserError, ValueError):
    """The file of topics cannot be used; the message names file, field and value."""


def seen(name: str) -> str:
    """Return a name or a sentence that people can see.

    Raises:
        ValueError: If it has a character that is not seen, or no other one.
    """
    for character in name:
        if unicodedata.category(character) in _UNSEEN and character not in _JOINERS:
            raise ValueError(f"has the character U+{ord(character):04X}, which is not seen; leave it out")
    if not name.strip(_JOINERS):
        raise ValueError("is blank")
    return name


_Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=_LONGEST_NAME),
    AfterValidator(seen),
]


_Id = Annotated[str, StringConstraints(min_length=1)]


class CuratedTopic(BaseModel):
    """What a person says about a topic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name | None = None
    merge_into: _Id | None = None
    parent: _Id | None = None
    pinned: bool = False
    hidden: bool = False
    date: dt.date | None = None


class CuratedParent(BaseModel):
    """What a person says about a parent of topics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    topics: dict[str, CuratedTopic] = {}
    parents: dict[str, CuratedParent] = {}


@dataclass(frozen=True)
class Curation:
    """What people say about topics.

    Attributes:
        topics: By identifier of the topic; one that is not known is ignored.
        parents: Names of parents by identifier.
        problems: One sentence for each document of the collection that is left out.
    """

    topics: Mapping[str, CuratedTopic] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The content as one text, without the dates; empty if nothing is said."""
        said = [f"{name} {topic.model_dump_json(exclude={'date'})}" for name, topic in sorted(self.topics.items())]
        return "\n".join([*said, *(f"{name} {parent}" for name, parent in sorted(self.parents.items()))])


NO_CURATION = Curation()


def read_curation(path: Path | None) -> Curation:
    """Read the file of topics.

    Raises:
        CurationError: If the file cannot be read, repeats a key, has an unknown field, or merges topics in a circle.
    """
    if path is None:
        return NO_CURATION
    written = YamlFile.parse(path, CurationError)
    try:
        file = _File.model_validate({} if written.content is None else written.content)
    except ValidationError as error:
        raise CurationError(*written.problems([(one["loc"], _fault(one)) for one in error.errors()])) from error
    circles = [
        (("topics", topic, "merge_into"), _leads_back(back))
        for topic in file.topics
        if (back := _led_back(file.topics, topic)) is not None
    ]
    if circles:
        raise CurationError(*written.problems(circles))
    return Curation(file.topics, {name: parent.name for name, parent in file.parents.items()})


def with_collection(file: Curation, documents: Iterable[Mapping[str, Any]]) -> Curation:
    """Return what a file and the documents of the collection say; a document that cannot be used is left out and told.

    Args:
        file: What the file says.
        documents: Documents of ``topic_curation``.
    """
    topics, parents, problems = dict(file.topics), dict(file.parents), list(file.problems)
    for document in sorted(documents, key=lambda one: str(one["_id"])):
        name = str(document["_id"])
        if name in topics or name in parents:
            continue
        said = {key: value for key, value in document.items() if key not in ("_id", "changed_at") and value is not None}
        try:
            if name.startswith(PARENT):
                parents[name] = CuratedParent.model_validate(said).name
                continue
            topics[name] = CuratedTopic.model_validate({**said, "date": _day(document.get("changed_at"))})
        except ValidationError as error:
            first = error.errors()[0]
            field_name = ".".join(map(str, first["loc"])) or "document"
            problems.append(f"topic_curation, {on_one_line(name)}: {field_name}: {_fault(first)}")
            continue
        if (back := _led_back(topics, name)) is not None:
            del topics[name]
            problems.append(f"topic_curation, {on_one_line(name)}: merge_into: {_leads_back(back)}")
    return Curation(topics, parents, tuple(problems))


def _day(changed_at: dt.datetime | str | None) -> dt.date | None:
    """Return the day of a time; a copy of the collection has it as a text."""
    changed_at = dt.datetime.fromisoformat(changed_at) if isinstance(changed_at, str) else changed_at
    return None if changed_at is None else changed_at.date()


def _led_back(topics: Mapping[str, CuratedTopic], topic: str) -> str | None:
    """Return the topic to which a topic's merges come a second time; None if they come to an end."""
    seen, into = {topic}, topics[topic].merge_into
    while into is not None:
        if into in seen:
            return into
        seen.add(into)
        into = topics[into].merge_into if into in topics else None
    return None


def _leads_back(topic: str) -> str:
    return f"leads back to {topic}; name the topic that stays"


def _fault(error: Mapping[str, Any]) -> str:
    """Return the fault that an error of pydantic states, without the names of its classes."""
    is_mapping = error["type"] in ("model_type", "dict_type")
    return "must be a mapping" if is_mapping else str(error["msg"]).removeprefix("Value error, ")
