"""The version of code follows what the code does, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import analytics_platform
from analytics_platform.model.code_version import code_version

SOURCE = '''"""A module."""

import dataclasses

LIMIT: int = 3
"""How many."""


@dataclasses.dataclass
class Pair:
    """A pair."""

    left: int


def double(number: int) -> int:
    """Double."""
    half: int = number  # as it comes
    return half + half


def nothing() -> None:
    """Do nothing."""
'''


ENTRANCES = [
    "sources/sample_source",
    "transform/messages",
    "insights/engine",
    "insights/llm/llm_tier",
    "insights/llm/translating/translator",
    "insights/quality/promotion_gate",
    "analytics/reports/page",
]
PACKAGE = {
    "__init__.py": "from package.figures import total",
    "compute.py": "from package import total\n\ndef table(): return total(2)",
    "figures.py": (
        "SCALE = 3\n\ndef total(number):\n    from package.late import shift\n    return SCALE * number + shift"
    ),
    "late.py": "shift = 1",
    "types.py": "class Kind: limit = 1",
    "beside.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.types import Kind\nSIDE = 1",
    "tables.py": (
        "from package.declaring import Column, Table\nLIMIT = 5\n_NOTE = 'of the day'\n"
        "DAYS = Table('days', 'one row per day', (Column('day', int, 'Day ' + _NOTE),))\n"
        "DATE = Column('date', int, 'The date.', minimum=0)"
    ),
    "declaring.py": "def Table(*given): return given\n\ndef Column(*given, minimum=0): return given",
    "limits.py": "from package import tables as declared\nMOST = declared.LIMIT",
    "days.py": "from package.tables import DATE, DAYS\nEMPTY = DAYS",
    "guarded.py": (
        "try:\n    from package import late\n    HALF = 2\nexcept ImportError:\n    late = None\n\n"
        "def used(): return late.shift\n\ndef halved(): return HALF"
    ),
    "assets.py": (
        "from package import beside, compute, limits\nNOTE = 'one'\nOTHER = 'two'\n\n"
        "def _noted(): return NOTE\n\ndef noted(limits): return _noted()\n\ndef computed(): return compute.table()"
    ),
}
"""A package in which modules import each other in every way that counts or does not count."""


def version_of(folder: Path, source: str = SOURCE, data: bytes = b"one") -> str:
    """Return the version of a module that names a data file."""
    folder.mkdir(parents=True)
    module = ModuleType("module")
    module.__file__ = str(folder / "module.py")
    (folder / "module.py").write_text(f"{source}\nWORDS = 'words.txt'\n", encoding="utf-8")
    (folder / "words.txt").write_bytes(data)
    (folder / "NOTICE").write_text(str(folder), encoding="utf-8")
    return code_version(module)


def package_version(folder: Path, module: str, name: str | None = None, **edited: str) -> str:
    """Return the version of a module of ``PACKAGE``, or of one of its functions, with some modules edited."""
    place = folder / "package"
    place.mkdir(parents=True)
    for file, source in {**PACKAGE, **{f"{one}.py": source for one, source in edited.items()}}.items():
        (place / file).write_text(source, encoding="utf-8")
    if name is None:
        asked = ModuleType(module)
        asked.__file__ = str(place / f"{module}.py")
        return code_version(asked)
    namespace: dict[str, Any] = {}
    exec(compile(f"def {name}(): pass", str(place / f"{module}.py"), "exec"), namespace)
    return code_version(namespace[name])


@pytest.mark.parametrize(
    ("module", "name", "edited", "before", "after"),
    [
        ("compute", None, "figures", "SCALE = 3", "SCALE = 4"),
        ("compute", None, "late", "shift = 1", "shift = 2"),
        ("limits", None, "tables", "LIMIT = 5", "LIMIT = 6"),
        ("days", None, "declaring", "return given", "return given[0]"),
        ("days", None, "tables", "minimum=0", "minimum=1"),
        ("guarded", "used", "late", "shift = 1", "shift = 2"),
        ("guarded", "halved", "guarded", "HALF = 2", "HALF = 3"),
        ("assets", "noted", "assets", "NOTE = 'one'", "NOTE = 'three'"),
        ("assets", "computed", "late", "shift = 1", "shift = 2"),
    ],
)
def test_an_edit_of_what_is_imported_changes_the_version(
    tmp_path: Path, module: str, name: str | None, edited: str, before: str, after: str
) -> None:
    """Hand-written lists of modules missed some: an edited constant that computed left the version."""
    source = PACKAGE[f"{edited}.py"].replace(before, after)
    assert source != PACKAGE[f"{edited}.py"]
    version = package_version(tmp_path / "b", module, name, **{edited: source})
    assert version != package_version(tmp_path / "a", module, name)


@pytest.mark.parametrize(
    ("module", "name", "edited", "before", "after"),
    [
        ("compute", None, "beside", "SIDE = 1", "SIDE = 2"),
        ("compute", None, "__init__", "from", "AUTHOR = 'a'\nfrom"),
        ("beside", None, "types", "limit = 1", "limit = 2"),
        ("limits", None, "tables", "_NOTE = 'of the day'", "_NOTE = 'of a day'"),
        ("days", None, "tables", "LIMIT = 5", "LIMIT = 6"),
        ("days", None, "tables", "_NOTE = 'of the day'", "_NOTE = 'of a day'"),
        ("days", None, "tables", "one row per day", "one row for each day"),
        ("days", None, "tables", "The date.", "A date."),
        ("assets", "noted", "assets", "OTHER = 'two'", "OTHER = 'three'"),
        ("assets", "noted", "tables", "LIMIT = 5", "LIMIT = 6"),
        ("assets", "noted", "late", "shift = 1", "shift = 2"),
        ("assets", "computed", "assets", "NOTE = 'one'", "NOTE = 'three'"),
    ],
)
def test_an_edit_of_what_is_not_used_leaves_the_version(
    tmp_path: Path, module: str, name: str | None, edited: str, before: str, after: str
) -> None:
    """An edited constant of the report's code made ``daily_metrics`` stale."""
    source = PACKAGE[f"{edited}.py"].replace(before, after)
    assert source != PACKAGE[f"{edited}.py"]
    version = package_version(tmp_path / "b", module, name, **{edited: source})
    assert version == package_version(tmp_path / "a", module, name)


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no module analytics_platform\.nowhere"):
        code_version("analytics_platform.nowhere")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"""A module."""', '"""Another text."""'),
        ('"""A pair."""', '"""Two\n\n    lines."""'),
        ('    """Do nothing."""', "    pass"),
        ('"""How many."""\n', ""),
        ("  # as it comes", ""),
        ("number: int) -> int", "number) -> float"),
        ("half: int =", "half: float ="),
        ("LIMIT: int", "LIMIT: float"),
        ("half + half", "(half\n            + half)"),
    ],
)
def test_what_changes_no_result_leaves_the_version(tmp_path: Path, before: str, after: str) -> None:
    """A reworded docstring made every partition of every user stale."""
    assert before in SOURCE
    assert version_of(tmp_path / "b", SOURCE.replace(before, after)) == version_of(tmp_path / "a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("= 3", "= 4"),
        ("= 3", "= '3'"),
        ("half + half", "half * half"),
        ("left: int", "left: str"),
        ("left: int", "right: int"),
        ("@dataclasses.dataclass\n", ""),
        ("LIMIT", "BOUND"),
    ],
)
def test_what_may_change_a_result_changes_the_version(tmp_path: Path, before: str, after: str) -> None:
    assert before in SOURCE
    assert version_of(tmp_path / "b", SOURCE.replace(before, after)) != version_of(tmp_path / "a")


def test_a_data_file_changes_the_version_by_its_content(tmp_path: Path) -> None:
    assert version_of(tmp_path / "b", data=b"two") != version_of(tmp_path / "a")


@pytest.mark.slow  # hashes the package for each data file
def test_every_data_file_of_the_package_counts(tmp_path: Path) -> None:
    """A data file that its module finds in a new way would change labels, and nothing would be computed again."""
    place = tmp_path / "analytics_platform"
    shutil.copytree(Path(analytics_platform.__file__).parent, place, ignore=shutil.ignore_patterns("__pycache__"))
    data = [
        file
        for folder in ("sources", "sample", "transform", "insights", "analytics")
        for file in (place / folder).rglob("*")
        if file.is_file() and file.suffix not in (".py", ".md") and not file.name.startswith(("NOTICE", "LICENSE"))
    ]
    assert len(data) > 10
    ignored = []
    for file in data:
        before = versions_of_entrances(place)
        file.write_bytes(file.read_bytes() + b"\n")
        if versions_of_entrances(place) == before:
            ignored.append(file.name)
    # The build of labels.parquet alone reads the first; `analytics discover`, which computes no table, the second. Each
    # table's provenance names the version of the one prompt that its questions use.
    prompts = {"conversation.v1.md.j2", "topic_name.v1.md.j2", "translation.v1.md.j2"}
    assert set(ignored) == {"label_mapping.yaml", "language_directions.safetensors"} | prompts


def versions_of_entrances(place: Path) -> list[str]:
    """Return the versions of the modules that compute the tables, in a copy of the package."""
    modules = []
    for name in ENTRANCES:
        module = ModuleType(name)
        module.__file__ = str(place / f"{name}.py")
        modules.append(module)
    return [code_version(module) for module in modules]
