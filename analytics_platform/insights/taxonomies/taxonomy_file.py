"""The taxonomy's YAML file: its content, and the line of each part, for error messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import counted

Location = tuple[str | int, ...]
"""Path to a part of the content: keys of mappings and indices of lists."""


MOST_MISTAKES = 20
"""Most mistakes in one message; a file with more usually repeats one mistake in each label."""


class TaxonomyError(UserError, ValueError):
    """The taxonomy file is wrong; each fault names file, line and remedy."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML loader that reads dates as texts, because they are quotations of what people say."""


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


@dataclass(frozen=True)
class TaxonomyFile:
    """A parsed taxonomy file.

    Attributes:
        path: The file.
        content: The content as Python values.
        root: The root YAML node, which has line numbers; None for an empty file.
    """

    path: Path
    content: Any
    root: yaml.Node | None

    @classmethod
    def read(cls, path: Path) -> TaxonomyFile:
        """Read a file.

        Raises:
            TaxonomyError: If the file cannot be read, is not YAML, or repeats a key.
        """
        text = ""
        try:
            text = path.read_text(encoding="utf-8")
            loader = _Loader(text)
            root = loader.get_single_node()
            repeated = list(_repeated(root))  # before YAML merges, which repeat overridden keys
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
        """Return one line per mistake with file, line, field and remedy: the first 20, then the number of others."""
        return self._listed((self._told(self._node(place), place, what) for place, what in mistakes), len(mistakes))

    def _listed(self, lines: Iterator[str], count: int) -> list[str]:
        """Return the first lines and the number of further ones, which are not made because each one is costly."""
        shown = list(islice(lines, MOST_MISTAKES))
        if count > len(shown):
            shown.append(f"{self.path}: and {counted(count - len(shown), 'more mistake')}")
        return shown

    def _node(self, location: Location) -> yaml.Node | None:
        """Return the deepest existing node on the path to a location."""
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
    """Yield each repeated key of a mapping, in the order of the file; YAML itself would silently use the last value."""
    todo: list[tuple[Location, yaml.Node]] = [((), root)] if root else []
    seen: set[int] = set()
    while todo:
        location, node = todo.pop()
        if id(node) in seen:  # an alias of a visited node
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
