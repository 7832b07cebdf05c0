"""The version of the code that computes a table: a hash of a function and of all that it imports from the package.

Comments, docstrings, annotations of functions and descriptions of columns are no part of the hash.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from analytics_platform.model.syntax import Import, Statement, read_statements
from analytics_platform.model.version_cache import VersionCache

_DATA = frozenset({".onnx", ".yaml", ".j2", ".parquet", ".safetensors", ".tsv", ".txt"})
"""Endings of the data files that code reads. Other files, such as notices and licences, change no result."""
_PROMPT = ".md.j2"
"""Ending of an LLM's prompts, which are no part of a version: all kinds of questions share one folder and one reader of
prompts, and each table's provenance names the version of its own prompt."""

Code: TypeAlias = ModuleType | Callable[..., Any] | str
"""A module, a function or class of a module, or the full name of a module, which is then not imported."""


@cache
def code_version(*code: Code) -> str:
    """Hash modules, functions and classes with the modules and data files of their package that they use.

    An edit that may change a result changes the hash. An edit of comments, docstrings, layout, descriptions of columns,
    or annotations of functions and variables does not change it, so nothing is computed again.

    Args:
        *code: Of a module, all statements count; of a function or class, its body, and the statements of its module
            that it refers to. A function's decorators do not count, because the decorators of assets only describe.

    Returns:
        12 hexadecimal digits.
    """
    kept = _kept_versions() if all(_is_ours(one) for one in code) else None
    key = " ".join(map(_name_of, code))
    if kept is not None and (version := kept.get(key)):
        return version
    version = _compute(code)
    if kept is not None:
        kept.put(key, version)
    return version


def _compute(code: Iterable[Code]) -> str:
    parts = _closure(map(_start, code))
    digests = {part.place: part.digest for part in parts} | {_place(file): _digest(file) for file in _data_of(parts)}
    content = "\x1f".join(f"{place} {digests[place]}" for place in sorted(digests))
    return hashlib.sha256(content.encode()).hexdigest()[:12]


@cache
def _kept_versions() -> VersionCache:
    return VersionCache(_root(Path(__file__)))


def _is_ours(code: Code) -> bool:
    """Tell whether code belongs to this package; all files that its version depends on are then in the package."""
    return _name_of(code).partition(".")[0] == __name__.partition(".")[0]


def _name_of(code: Code) -> str:
    if isinstance(code, str):
        return code
    return code.__name__ if isinstance(code, ModuleType) else f"{code.__module__}:{code.__qualname__}"


@dataclass(frozen=True)
class _Part:
    """The statements of a module that count: all of them, or only those that define one name."""

    module: _Module
    name: str | None = None

    @property
    def place(self) -> str:
        return f"{_place(self.module.file)}:{self.name or ''}"

    @property
    def statements(self) -> list[Statement]:
        return self.module.statements if self.name is None else self.module.definitions[self.name]

    @property
    def digest(self) -> str:
        """A hash of the statements. Declared tables are left out: their schema is a part of provenance of its own."""
        texts = [one.text if self.name is None else one.undecorated for one in self.statements if not one.is_table]
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()

    def needs(self) -> Iterator[_Part]:
        """Return the parts that the statements import or refer to."""
        for statement in self.statements:
            yield from self.module.follow(statement.imports, statement)
            if self.name is not None:
                for name in {"Table"} if statement.is_table else statement.names:
                    if name in self.module.definitions:
                        yield _Part(self.module, name)
                    yield from self.module.follow(self.module.bindings.get(name, ()), statement)


class _Module:
    """A module, read from its file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.root = _root(file)
        self.statements = read_statements(file.read_text(encoding="utf-8"))

    @cached_property
    def definitions(self) -> dict[str, list[Statement]]:
        """The statements at the top level by the names that they define."""
        found: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.defines:
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def bindings(self) -> dict[str, list[Import]]:
        """The imports at the top level by the names that they bind."""
        found: dict[str, list[Import]] = {}
        for one in (one for statement in self.statements if not statement.is_scope for one in statement.imports):
            found.setdefault(one.bound, []).append(one)
        return found

    @cached_property
    def declares_tables(self) -> bool:
        """Whether the module declares tables; of such a module, only the names that others import count."""
        return any(statement.is_table for statement in self.statements)

    @cached_property
    def attributes(self) -> dict[str, set[str]]:
        """The attributes that the module reads, by the name they are read from, such as ``MESSAGES`` by ``tables``."""
        found: dict[str, set[str]] = {}
        for statement in self.statements:
            for name, attribute in statement.attributes:
                found.setdefault(name, set()).add(attribute)
        return found

    @cached_property
    def data_files(self) -> frozenset[Path]:
        """The data files that the module names, and all of the folders of data files beside it that it names."""
        found: set[Path] = set()
        for text in set().union(*(statement.texts for statement in self.statements)):
            found.update(_data_files(self.root).get(text, ()))
            beside = self.file.parent / text
            if text.isidentifier() and beside.is_dir() and not (beside / "__init__.py").exists():
                found.update(file for file in beside.iterdir() if _is_data(file))
        return frozenset(found)

    def follow(self, imports: Iterable[Import], user: Statement) -> Iterator[_Part]:
        """Return the parts of the package that some imports of the module name.

        Args:
            imports: Imports of the module.
            user: The statement that uses the imported names; when it is an import itself, the whole module uses them.
        """
        for one in imports:
            module = self._absolute(one)
            if file := _module_file(self.root, f"{module}.{one.name}" if one.name else module):
                used = self.attributes.get(one.bound, set())
                if not user.is_import:
                    used = {attribute for name, attribute in user.attributes if name == one.bound}
                for name in used or {""}:
                    yield from _module(file).defining(name, user)
            elif one.name and (file := _module_file(self.root, module)):
                yield from _module(file).defining(one.name, user)

    def part(self, name: str) -> _Part:
        """Return the part that defines a name: the whole module unless it declares tables."""
        return _Part(self, name if self.declares_tables and name in self.definitions else None)

    def defining(self, name: str, user: Statement) -> Iterator[_Part]:
        """Return the parts that define a name of the module; a package that imports the name counts nothing itself."""
        if self.file.name == "__init__.py" and name not in self.definitions and name in self.bindings:
            yield from self.follow(self.bindings[name], user)
        else:
            yield self.part(name)

    def _absolute(self, one: Import) -> str:
        """Return the full name of the module that an import names."""
        if not one.level:
            return one.module
        place = self.file.relative_to(self.root.parent).with_suffix("").parts
        return ".".join([*place[: len(place) - one.level], *filter(None, [one.module])])


@cache
def _module(file: Path) -> _Module:
    return _Module(file)


def _start(code: Code) -> _Part:
    """Return the part that an argument of ``code_version`` names.

    Raises:
        ValueError: If there is no such module.
    """
    if isinstance(code, str):
        spec = find_spec(code)
        if spec is None or spec.origin is None:
            raise ValueError(f"there is no module {code}")
        return _Part(_module(Path(spec.origin)))
    module = _module(Path(inspect.getfile(code)))
    name = None if isinstance(code, ModuleType) else code.__name__
    return _Part(module, name if name in module.definitions else None)


def _closure(start: Iterable[_Part]) -> set[_Part]:
    """Return some parts and all that they need."""
    found: set[_Part] = set()
    todo = list(start)
    while todo:
        part = todo.pop()
        if part not in found:
            found.add(part)
            todo.extend(part.needs())
    return found


def _data_of(parts: Iterable[_Part]) -> set[Path]:
    """Return the data files that the modules of some parts name."""
    return set().union(*(part.module.data_files for part in parts))


@cache
def _root(file: Path) -> Path:
    """Return the folder of the top-level package of a file."""
    folder = file.parent
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    return folder


@cache
def _place(file: Path) -> str:
    """Return the path of a file in its package."""
    return file.relative_to(_root(file)).as_posix()


@cache
def _module_file(root: Path, name: str) -> Path | None:
    """Return the file of a module by its full name; None for a name that is no module of the package ``root``."""
    top, *below = name.split(".")
    if top != root.name:
        return None
    place = root.joinpath(*below)
    return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)


def _is_data(file: Path) -> bool:
    return file.suffix in _DATA and not file.name.endswith(_PROMPT)


@cache
def _data_files(root: Path) -> dict[str, list[Path]]:
    """Return the data files of a package by their names."""
    found: dict[str, list[Path]] = {}
    for file in root.rglob("*"):
        if _is_data(file):
            found.setdefault(file.name, []).append(file)
    return found


def _digest(file: Path) -> str:
    """Return the hash of a data file's content, which is read again when the file has changed."""
    state = file.stat()
    return _content_digest(file, state.st_mtime_ns, state.st_size)


@cache
def _content_digest(file: Path, changed: int, size: int) -> str:  # noqa: ARG001  (time and size are the cache's key)
    return hashlib.sha256(file.read_bytes()).hexdigest()
