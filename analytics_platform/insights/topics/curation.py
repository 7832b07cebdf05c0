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

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import on_one_line

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


class CuratedTopic(BaseModel):
    """What a person says about a topic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: _Name | None = None
    merge_into: str | None = None
    parent: str | None = None
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
        CurationError: If the file cannot be read, has an unknown field, or merges topics in a circle.
    """
    if path is None:
        return NO_CURATION
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        file = _File.model_validate(content or {})
    except ValidationError as error:
        raise CurationError(*(_fault(path, one) for one in error.errors())) from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # a date that is none is a ValueError
        raise CurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    for topic in file.topics:
        if (back := _led_back(file.topics, topic)) is not None:
            raise CurationError(f"{path}: topics.{topic}.merge_into: leads back to {back}; name the topic that stays")
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
            problems.append(_fault(f"topic_curation, {on_one_line(name)}", error.errors()[0]))
            continue
        if (back := _led_back(topics, name)) is not None:
            del topics[name]
            problems.append(f"topic_curation, {name}: merge_into: leads back to {back}; name the topic that stays")
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


def _fault(place: object, error: Mapping[str, Any]) -> str:
    """Return one line of an error of pydantic, without the names of its classes."""
    is_mapping = error["type"] in ("model_type", "dict_type")
    what = "must be a mapping" if is_mapping else error["msg"].removeprefix("Value error, ")
    return f"{place}: {'.'.join(map(str, error['loc'])) or 'file'}: {what}"
