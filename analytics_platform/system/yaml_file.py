"""YAML files that people write: the content, and the line of each part for error messages.

A key that is there twice is refused, because YAML itself silently uses the last value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml

from analytics_platform.errors import UserError
from analytics_platform.system.plain_text import counted

Location = tuple[str | int, ...]
"""Path to a part of the content: keys of mappings and indices of lists."""


MOST_MISTAKES = 20
"""Most mistakes in one message; a file with more usually repeats one mistake in each label."""


SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The quickest loader that makes nothing but plain values."""


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML file.

    Attributes:
        path: The file.
        content: The content as Python values.
        root: The root YAML node, which has line numbers; None for an empty file.
    """

    root_name: ClassVar[str] = "file"
    """What a message about the whole content says in place of keys."""

    path: Path
    content: Any
    root: yaml.Node | None

    @classmethod
    def parse(cls, path: Path, error: type[UserError], loader: type[yaml.SafeLoader] = SAFE_LOADER) -> Self:
        """Read a file.

        Args:
            path: The file.
            error: Class of the error that is raised.
            loader: Makes values of the nodes.

        Raises:
            UserError: Of the class ``error``, if the file cannot be read, is not YAML, or repeats a key.
        """
        text = ""
        try:
            text = path.read_text(encoding="utf-8")
            nodes = loader(text)
            root = nodes.get_single_node()
            repeated = list(_repeated(root))  # before YAML merges, which repeat overridden keys
            found = cls(path, nodes.construct_document(root) if root else None, root)
        except UnicodeDecodeError as fault:
            line = fault.object.count(b"\n", 0, fault.start) + 1
            byte = fault.object[fault.start]
            raise error(f"{path}:{line}: not UTF-8: byte 0x{byte:02x}; save the file as UTF-8") from fault
        except yaml.MarkedYAMLError as fault:
            lines = max(len(text.splitlines()), 1)  # what is never closed is missed behind the last line
            line = min(fault.problem_mark.line + 1, lines) if fault.problem_mark else 1
            raise error(f"{path}:{line}: not valid YAML: {fault.problem}") from fault
        except yaml.reader.ReaderError as fault:
            line = text.count("\n", 0, fault.position) + 1
            code = fault.character if isinstance(fault.character, int) else ord(fault.character)
            raise error(f"{path}:{line}: the character U+{code:04X} is not allowed") from fault
        except (OSError, yaml.YAMLError, ValueError) as fault:  # such as a date, or a tagged number, that is none
            raise error(f"{path}: cannot be read: {' '.join(str(fault).split())}") from fault
        if repeated:
            repeats = (found._told(key, where, "is here a second time") for where, key in repeated)
            raise error(*found._listed(repeats, len(repeated)))
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
        return f"{self.path}:{line}: {'.'.join(map(str, location)) or self.root_name}: {message}"


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
