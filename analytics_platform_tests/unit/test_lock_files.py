"""The lock files hold exactly what ``pyproject.toml`` asks for, by version and hash, and no address.

Runs without a network, as ``make lint`` and the pre-commit hook do; ``make lock`` mends what it finds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from analytics_platform.settings.loader import PROJECT_ROOT

PROJECT = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "requirements.lock": ["local", "transformer"],
    "requirements-dev.lock": ["local", "llm", "dask", "postgres", "transformer", "dev"],
    "requirements-gpu.lock": ["local", "gpu"],
}
# torch comes in one build per machine: see docs/operations.md; languages is a choice of its own: see docs/privacy.md
WITHOUT_LOCK = {"transformer-gpu", "languages"}
every_lock = pytest.mark.parametrize("lock", LOCKS)


@dataclass(frozen=True)
class Pin:
    """One locked package: its requirement line, its hashes, and whether the project itself asks for it."""

    requirement: Requirement
    hashes: tuple[str, ...]
    direct: bool

    @property
    def version(self) -> str:
        """The version locked."""
        return next(iter(self.requirement.specifier)).version


def read_pins(lock: str) -> Iterator[Pin]:
    """Yield the pins of a lock file: each starts at the margin, its hashes and its reasons are indented."""
    text = (PROJECT_ROOT / lock).read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"\A(#.*\n)+", "", text)):
        yield Pin(
            requirement=Requirement(block.partition("\\")[0].strip()),
            hashes=tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})", block)),
            direct="analytics-platform (pyproject.toml" in block,
        )


def declared(lock: str) -> list[Requirement]:
    """Return what the project declares for a lock file, the build backend included."""
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
    lines += [line for extra in LOCKS[lock] for line in extras[extra]]
    return [Requirement(line) for line in lines]


@every_lock
def test_what_the_project_asks_for_is_what_the_lock_holds_for_it(lock: str) -> None:
    asked = {canonicalize_name(requirement.name) for requirement in declared(lock)}
    held = {canonicalize_name(pin.requirement.name) for pin in read_pins(lock) if pin.direct}
    assert held == asked, "run `make lock`"


@every_lock
def test_every_locked_version_is_one_that_the_project_allows(lock: str) -> None:
    allowed = {canonicalize_name(requirement.name): requirement for requirement in declared(lock)}
    wrong = [
        f"{pin.requirement} is not {allowed[name].specifier}"
        for pin in read_pins(lock)
        if (name := canonicalize_name(pin.requirement.name)) in allowed
        and not allowed[name].specifier.contains(pin.version, prereleases=True)
    ]
    assert wrong == [], "run `make lock`"


@every_lock
def test_every_package_is_pinned_to_one_version_and_carries_hashes(lock: str) -> None:
    pins = list(read_pins(lock))
    assert len(pins) > 100
    for pin in pins:
        assert [specifier.operator for specifier in pin.requirement.specifier] == ["=="], pin
        assert pin.hashes, pin


@every_lock
def test_what_is_required_with_extras_is_pinned_with_them(lock: str) -> None:
    """Else pip before 23.3, which compares the two as if they were different packages, refuses the lock."""
    pins = {canonicalize_name(pin.requirement.name): pin.requirement for pin in read_pins(lock)}
    wanted = {
        (canonicalize_name(one.name), extra) for one in [*declared(lock), *required(pins)] for extra in one.extras
    }
    lacking = {(name, extra) for name, extra in wanted if name in pins and extra not in pins[name].extras}
    assert wanted
    assert lacking == set(), "run `make lock`"


def required(pins: Mapping[str, Requirement]) -> Iterator[Requirement]:
    """Yield what pinned packages of this environment require of others, for themselves and for their pinned extras."""
    for name, pin in pins.items():
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # for another system, or of a lock that is not installed
            continue
        for line in lines:
            requirement = Requirement(line)
            marker = requirement.marker
            asked = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *pin.extras))
            if asked and canonicalize_name(requirement.name) != name:  # pip bears what a package asks of itself
                yield requirement


@every_lock
def test_a_lock_names_no_address(lock: str) -> None:
    text = (PROJECT_ROOT / lock).read_text(encoding="utf-8")
    assert not re.findall(r"https?:|file:|--(?:extra-)?index|--find-links|\s@\s", text)


def test_tests_run_with_the_versions_that_users_run_with() -> None:
    base, dev = ({str(pin.requirement) for pin in read_pins(f"requirements{kind}.lock")} for kind in ("", "-dev"))
    assert base - dev == set(), "run `make lock`"


def test_every_extra_has_a_lock_or_a_reason() -> None:
    locked = {extra for extras in LOCKS.values() for extra in extras}
    assert locked | WITHOUT_LOCK == set(PROJECT["project"]["optional-dependencies"])
