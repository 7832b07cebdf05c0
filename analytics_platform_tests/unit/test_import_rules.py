"""Imports run downwards only, and one module reads the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from analytics_platform.settings import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "analytics_platform"
READS_THE_ENVIRONMENT = {"settings.py", "settings_operations.py"}


def environment_uses(source: str) -> Iterator[int]:
    """Yield the lines that touch the process environment by way of ``os``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            names = {node.attr}
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
        else:
            continue
        if names & {"environ", "environb", "getenv", "getenvb"}:
            yield node.lineno


def test_the_contracts_of_pyproject_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    monkeypatch.setattr("importlinter.cli._configure_logging", lambda _: None)  # it switches every other logger off
    assert lint_imports(no_logo=True) == EXIT_STATUS_SUCCESS


def test_only_the_settings_read_the_environment() -> None:
    found = [
        f"{path.relative_to(PROJECT_ROOT)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if str(path.relative_to(PACKAGE)) not in READS_THE_ENVIRONMENT
        for line in environment_uses(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nhome = os.environ['HOME']",
        "import os\nos.getenv('HOME')",
        "from os import environ",
        "import os\nf(os.environ)",
    ],
)
def test_a_module_that_reads_the_environment_would_be_found(source: str) -> None:
    assert list(environment_uses(source))


def test_a_module_that_only_handles_paths_would_not_be_found() -> None:
    assert not list(environment_uses("import os\nos.replace('a', 'b')\nfrom os import PathLike"))
