"""The layout of the package: imports, the environment, names of modules and classes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from analytics_platform.settings.loader import PROJECT_ROOT

PACKAGE = PROJECT_ROOT / "analytics_platform"
READS_THE_ENVIRONMENT = {"settings/loader.py", "settings/operations_settings.py", "settings/blas_variables.py"}
ROOT_MODULES = {"__init__.py", "definitions.py", "errors.py", "files.py"}


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


def module_names() -> list[str]:
    """Return the name of every module and package below the package's root."""
    return [path.parent.name if path.stem == "__init__" else path.stem for path in PACKAGE.rglob("*.py")]


def class_names() -> list[str]:
    """Return the name of every class that a module defines at its top level."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py"))
    return [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("names", [module_names, class_names])
def test_no_two_modules_or_classes_share_a_name(names) -> None:
    """A reader who searches for a name finds one place."""
    assert [name for name, count in Counter(names()).items() if count > 1 and not name.startswith("_")] == []


def test_the_root_of_the_package_holds_no_loose_module() -> None:
    assert {path.name for path in PACKAGE.glob("*.py")} == ROOT_MODULES


MOST_MODULES = 15


def test_no_folder_holds_more_modules_than_a_reader_can_take_in() -> None:
    """``sources/shapes`` had 23 modules: shapes of exports, columns of tables, and what both share."""
    counts = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")

    assert [str(folder) for folder, count in counts.items() if count > MOST_MODULES] == []


def test_the_listing_of_errors_names_every_error_that_a_person_can_act_on() -> None:
    """Whoever catches errors of the package finds each with its module in ``errors.py``."""
    bases: dict[str, set[str]] = {}
    modules: dict[str, str] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
                modules[node.name] = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    found = {"UserError"}
    while more := {name for name, parents in bases.items() if parents & found} - found:
        found |= more
    tree = ast.get_docstring(ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))) or ""
    listed = re.findall(r"─ (\w+Error)(?: +([\w.]+))?$|─ (\w+Error) +(?:also|[\w.]+)", tree, re.MULTILINE)
    names = {first or second for first, _, second in listed}
    assert names == found - {"UserError"}
    assert {name: place for name, place, _ in listed if place} == {
        name: modules[name] for name, place, _ in listed if place
    }
