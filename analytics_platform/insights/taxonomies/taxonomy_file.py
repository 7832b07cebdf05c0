"""The taxonomy's YAML file: what it says, and on which line.

Belongs here: reading, and mistakes of the file itself. Does not belong here: what it has to say (``taxonomy``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from analytics_platform.errors import UserError

Location = tuple[str | int, ...]
"""Keys, and places in lists, that lead to a part of the content."""


MOST_MISTAKES = 20
"""Mistakes that one message lists; a file with more has mostly one, repeated in each label."""


class TaxonomyError(UserError, ValueError):
    """The taxonomy file is wrong; each fault names file, line and what to mend."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without dates: what looks like one is something that people say."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


@dataclass(frozen=True)
class TaxonomyFile:
    """A file that was read.

    Attributes:
        path: The file.
        content: What it says.
        root: Its nodes, which know their lines; None when it is empty.
    """

    path: Path
    content: Any
    root: yaml.Node | None

    @classmethod
    def read(cls, path: Path) -> TaxonomyFile:
        """Read a file.

        Raises:
            TaxonomyError: If it cannot be read, is no YAML, or says something twice.
        """
        text = ""
        try:
            text = path.read_text(encoding="utf-8")
            loader = _Loader(text)
            root = loader.get_single_node()
            repeated = list(_repeated(root))  # before merges are carried out, which repeat what they override
            found = cls(path, loader.construct_document(root) if root else None, root)
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            byte = error.object[error.start]
            raise TaxonomyError(f"{path}:{line}: not UTF-8: byte 0x{byte:02x}; save the file as UTF-8") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise TaxonomyError(f"{path}:{line}: not valid YAML: {error.problem}") from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            code = error.character if isinstance(error.character, int) else ord(error.character)
            raise TaxonomyError(f"{path}:{line}: the character U+{code:04X} is not allowed") from error
        except (OSError, yaml.YAMLError, ValueError) as error:  # such as what is tagged as a number and is none
            raise TaxonomyError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
        if repeated:
            lines = (found._told(key, where, "is here a second time") for where, key in repeated)
            raise TaxonomyError(*found._listed(lines, len(repeated)))
        return found

    def problems(self, mistakes: Sequence[tuple[Location, str]]) -> list[str]:
        """Write mistakes one a line, as file, line, field and what to mend; the first 20, and how many more."""
        return self._listed((self._told(self._node(place), place, what) for place, what in mistakes), len(mistakes))

    def _listed(self, lines: Iterator[str], count: int) -> list[str]:
        """Return the first lines; the others, which are costly to make, are only counted."""
        shown = list(islice(lines, MOST_MISTAKES))
        if count > len(shown):
            shown.append(f"{self.path}: and {count - len(shown):,} more mistakes")
        return shown

    def _node(self, location: Location) -> yaml.Node | None:
        """Return the deepest node on the way to a location."""
        node = self.root
        for step in location:
            found = _child(node, step)
            if found is None:
                break
            node = found
        return node

    def _told(self, node: yaml.Node | None, location: Location, message: str) -> str:
        line = node.start_mark.line + 1 if node else 1
        return f"{self.path}:{line}: {'.'.join(map(str, location)) or 'taxonomy'}: {message}"


def _repeated(root: yaml.Node | None) -> Iterator[tuple[Location, yaml.Node]]:
    """Yield each key that its mapping has already, in the order of the file; YAML would take the last in silence."""
    todo: list[tuple[Location, yaml.Node]] = [((), root)] if root else []
    seen: set[int] = set()
    while todo:
        location, node = todo.pop()
        if id(node) in seen:  # an alias of what was looked at
            continue
        seen.add(id(node))
        inner: list[tuple[Location, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            before: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                inner.append(((*location, name), value))
                if name in before:
                    yield (*location, name), key
                before.add(name)
        elif isinstance(node, yaml.SequenceNode):
            inner = [((*location, place), item) for place, item in enumerate(node.value)]
        todo += reversed(inner)


def _child(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child: yaml.Node = node.value[step]
        return child
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None
