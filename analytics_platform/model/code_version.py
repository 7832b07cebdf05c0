"""The version of the code that computes a table: a hash of its syntax tree, without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from types import ModuleType

_DATA = frozenset({".yaml", ".j2", ".parquet", ".safetensors", ".tsv", ".txt"})
"""Endings of the data files that code reads. Other files, such as notices and licences, change no result."""


@cache
def code_version(*places: ModuleType) -> str:
    """Hash modules and packages: their syntax trees, everything below a package, and the data files beside the code.

    An edit that may change a result changes the hash. An edit of comments, docstrings, layout, or the annotations of
    functions and variables does not change it, so nothing is computed again.

    Args:
        *places: Imported modules and packages.

    Returns:
        12 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for place in places:
        origin = Path(str(place.__file__))
        is_package = origin.name == "__init__.py"
        files = sorted(origin.parent.rglob("*")) if is_package else [origin]
        for file in files:
            if file.suffix == ".py":
                content = _what_it_does(file.read_text(encoding="utf-8")).encode()
            elif file.suffix in _DATA:
                content = file.read_bytes()
            else:
                continue
            name = file.relative_to(origin.parent).as_posix().encode()
            digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()[:12]


def _what_it_does(source: str) -> str:
    """Return the syntax tree of a module as text, without docstrings and without annotations that nothing evaluates.

    The text depends on the version of Python, so a new version may make every partition stale.
    """
    return ast.dump(_Bare().visit(ast.parse(source)))


class _Bare(ast.NodeTransformer):
    """Removes docstrings and annotations. Annotations of class attributes stay: dataclasses and pydantic use them."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """Strip a module."""
        return self._strip(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Strip a class; its annotated attributes stay as they are."""
        node.body = [one if isinstance(one, ast.AnnAssign) else self.visit(one) for one in _without_texts(node.body)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Strip a function."""
        node.returns = None
        return self._strip(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Strip a coroutine."""
        node.returns = None
        return self._strip(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Strip a parameter."""
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Turn an annotated assignment into a plain one; a declaration without a value becomes ``pass``."""
        if node.value is None:
            return ast.Pass()
        return ast.Assign(targets=[node.target], value=self.visit(node.value))

    def _strip(self, node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.body = _without_texts(node.body)
        return self.generic_visit(node)


def _without_texts(body: list[ast.stmt]) -> list[ast.stmt]:
    """Remove statements that consist of a string: docstrings of modules, classes, functions and attributes."""
    return [one for one in body if not _is_text(one)] or [ast.Pass()]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
