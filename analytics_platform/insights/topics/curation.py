"""What people say about discovered topics: other names, merges and parents; topics that stay or are not shown.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analytics_platform.errors import UserError

_LONGEST_NAME = 80


class CurationError(UserError, ValueError):
    """The file of topics cannot be used; the message names file, field and value."""


class CuratedTopic(BaseModel):
    """What a person says about a topic."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(default=None, min_length=1, max_length=_LONGEST_NAME)
    merge_into: str | None = None
    parent: str | None = None
    pinned: bool = False
    hidden: bool = False
    date: dt.date | None = None


class CuratedParent(BaseModel):
    """What a person says about a parent of topics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)


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
    """

    topics: Mapping[str, CuratedTopic] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)

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
        raise CurationError(*(_fault(path, one["loc"], one["msg"]) for one in error.errors())) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CurationError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    for topic in file.topics:
        seen, into = {topic}, file.topics[topic].merge_into
        while into is not None:
            if into in seen:
                raise CurationError(
                    f"{path}: topics.{topic}.merge_into: leads back to {into}; name the topic that stays"
                )
            seen.add(into)
            into = file.topics[into].merge_into if into in file.topics else None
    return Curation(file.topics, {name: parent.name for name, parent in file.parents.items()})


def _fault(path: Path, place: tuple[int | str, ...], what: str) -> str:
    return f"{path}: {'.'.join(map(str, place)) or 'file'}: {what}"
