"""The statements of a module as far as they change results, and what each of them refers to.

Docstrings, comments, layout, annotations of functions and variables, imports for types, and descriptions of columns are
left out. The text of a statement depends on the version of Python, so a new version may make every partition stale.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_LONGEST_NAME = 80
"""Most characters of a string constant that may name a data file."""


class Import(NamedTuple):
    """One imported name.

    Attributes:
        module: The module, without the dots of a relative import.
        name: The name that is imported from the module; empty for ``import module``.
        bound: The name that the import binds.
        level: Number of dots of a relative import.
    """

    module: str
    name: str
    bound: str
    level: int


@dataclass
class Statement:
    """A statement at the top level of a module.

    Attributes:
        text: The syntax tree as text.
        undecorated: The same, of a function without its decorators.
        is_import: Whether the statement is an import.
        is_scope: Whether the statement is a function or a class, whose imports bind no name of the module.
        is_table: Whether the statement declares a table, as in ``MESSAGES = Table(...)``.
        defines: Names that the statement defines.
        imports: Imports of the statement, or inside it.
        names: Names that the statement refers to, without the parameters of a function.
        attributes: Pairs of a name and an attribute that is read from it.
        texts: String constants that may name data files.
    """

    text: str = ""
    undecorated: str = ""
    is_import: bool = False
    is_scope: bool = False
    is_table: bool = False
    defines: frozenset[str] = frozenset()
    imports: list[Import] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)


def read_statements(source: str) -> list[Statement]:
    """Return the statements at the top level of a module's source."""
    return [_read(node) for node in ast.parse(source).body if not _is_text(node)]


def _read(node: ast.stmt) -> Statement:
    statement = Statement(is_import=isinstance(node, ast.Import | ast.ImportFrom), is_table=_is_table(node))
    statement.is_scope = isinstance(node, _SCOPES)
    statement.defines = frozenset(_defined(node))
    reader = _Reader(statement)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        decorators, node.decorator_list = node.decorator_list, []
        reader.add(node)
        statement.undecorated = reader.text()
        statement.names -= _parameters(node.args)
        reader = _Reader(Statement())  # the decorators refer to nothing that the function computes with
        reader.add_all(decorators)
        statement.text = reader.text() + statement.undecorated
        statement.imports += reader.statement.imports
    else:
        reader.add(node)
        statement.text = statement.undecorated = reader.text()
    return statement


class _Reader:
    """Turns a syntax tree into text and collects its references, in one pass, because every start of a process waits.

    Args:
        statement: Receives the references.
    """

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self._parts: list[str] = []

    def text(self) -> str:
        return " ".join(self._parts)

    def add(self, node: ast.AST) -> None:
        """Add a node."""
        kind = type(node)
        if special := _SPECIAL.get(kind):
            special(self, node)
            return
        self._parts.append(kind.__name__)
        self._parts.append("(")
        for name in kind._fields:
            self._add_field(getattr(node, name, None))
        self._parts.append(")")

    def add_all(self, nodes: Iterable[ast.AST]) -> None:
        """Add nodes as a list."""
        self._parts.append("[")
        for node in nodes:
            self.add(node)
        self._parts.append("]")

    def _add_field(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.add(value)
        elif isinstance(value, list):
            self._parts.append("[")
            for one in value:
                self._add_field(one)
            self._parts.append("]")
        else:
            self._parts.append(repr(value))

    def _context(self, node: ast.AST) -> None:
        """Leave out whether a name is read or set: its place in the tree says so."""

    def _constant(self, node: ast.Constant) -> None:
        self._parts.append(repr(node.value))
        if isinstance(node.value, str) and len(node.value) <= _LONGEST_NAME:
            self.statement.texts.add(node.value)

    def _name(self, node: ast.Name) -> None:
        self._parts.append(node.id)
        self.statement.names.add(node.id)

    def _attribute(self, node: ast.Attribute) -> None:
        self.add(node.value)
        self._parts.append("." + node.attr)
        if isinstance(node.value, ast.Name):
            self.statement.attributes.add((node.value.id, node.attr))

    def _parameter(self, node: ast.arg) -> None:
        self._parts.append(node.arg)  # without its annotation

    def _imports(self, node: ast.Import | ast.ImportFrom) -> None:
        self._parts.append(ast.dump(node))
        for alias in node.names:
            if isinstance(node, ast.Import):
                found = Import(alias.name, "", alias.asname or alias.name.partition(".")[0], 0)
            else:
                found = Import(node.module or "", alias.name, alias.asname or alias.name, node.level)
            self.statement.imports.append(found)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._parts += [type(node).__name__, node.name]
        self.add_all(node.decorator_list)
        self.add(node.args)
        self.add_all(_without_texts(node.body))

    def _class(self, node: ast.ClassDef) -> None:
        self._parts += ["class", node.name]
        self.add_all([*node.decorator_list, *node.bases, *node.keywords])
        for one in _without_texts(node.body):
            if isinstance(one, ast.AnnAssign):  # dataclasses and pydantic use the annotations of attributes
                self.add(one.annotation)
            self.add(one)

    def _annotated(self, node: ast.AnnAssign) -> None:
        self._parts.append("Assign")
        self.add_all(one for one in (node.target, node.value) if one is not None)

    def _assignment(self, node: ast.Assign) -> None:
        self._parts.append("Assign")
        self.add_all([*node.targets, node.value])

    def _if(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._parts.append("If")
        self.add(node.test)
        self.add_all(node.body)
        self.add_all(node.orelse)

    def _call(self, node: ast.Call) -> None:
        self._parts.append("Call")
        self.add(node.func)
        is_column = isinstance(node.func, ast.Name) and node.func.id == "Column"
        self.add_all([one for index, one in enumerate(node.args) if not (is_column and index == _DOC)])
        self.add_all([one for one in node.keywords if not (is_column and one.arg == "doc")])


_DOC = 2
"""Place of a column's description among the arguments of ``Column``."""
_SPECIAL: dict[type[ast.AST], Callable[[_Reader, Any], None]] = {
    ast.Load: _Reader._context,
    ast.Store: _Reader._context,
    ast.Constant: _Reader._constant,
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._attribute,
    ast.arg: _Reader._parameter,
    ast.Import: _Reader._imports,
    ast.ImportFrom: _Reader._imports,
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.ClassDef: _Reader._class,
    ast.AnnAssign: _Reader._annotated,
    ast.Assign: _Reader._assignment,
    ast.If: _Reader._if,
    ast.Call: _Reader._call,
}


def _without_texts(body: list[ast.stmt]) -> list[ast.stmt]:
    """Remove statements that consist of a string: docstrings of modules, classes, functions and attributes."""
    return [one for one in body if not _is_text(one)] or [ast.Pass()]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_table(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Assign)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Name)
        and statement.value.func.id == "Table"
    )


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Return the names that a statement at the top level defines, also inside blocks such as ``if`` and ``try``."""
    if isinstance(statement, _SCOPES):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, _SCOPES):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _parameters(of: ast.arguments) -> set[str]:
    """Return the parameters of a function; other statements may define the same names."""
    return {one.arg for one in (*of.posonlyargs, *of.args, *of.kwonlyargs, of.vararg, of.kwarg) if one}
