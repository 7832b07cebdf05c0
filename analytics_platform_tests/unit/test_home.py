"""Who may read the home: nobody but its owner, unless the settings say otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_platform.system.home import MARKER, find_removed, open_home, remember_folder, too_open


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_home_and_what_is_made_in_it_are_the_owners_alone(tmp_path: Path) -> None:
    """The home was 755 and its files 644: every user of the machine could read raw conversations."""
    home = tmp_path / "above" / "home"
    open_home(home, "private")
    (home / "file").write_text("")
    (home / "folder").mkdir()
    assert (mode(home), mode(home / "file"), mode(home / "folder")) == (0o700, 0o600, 0o700)
    assert mode(home.parent) == 0o755


def test_a_group_may_read_when_the_settings_say_so(tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_home(home, "group")
    (home / "warehouse.duckdb").write_text("")
    assert (mode(home), mode(home / "warehouse.duckdb")) == (0o750, 0o640)
    assert too_open(home, "group") is None
    assert "chmod 700" in str(too_open(home, "private"))


def test_a_home_that_we_made_is_restricted_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_home(home, "private")
    home.chmod(0o777)
    open_home(home, "private")
    assert mode(home) == 0o700


def test_a_home_that_was_removed_is_found_out_even_when_it_was_made_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    open_home(home, "private")
    assert find_removed(home) is None
    home.rename(tmp_path / "elsewhere")
    assert f"{home}: removed or replaced" in str(find_removed(home))
    home.mkdir()
    assert f"{home}: removed or replaced" in str(find_removed(home))
    open_home(home, "private")
    assert find_removed(home) is None


def test_a_folder_removed_from_the_home_is_named(tmp_path: Path) -> None:
    open_home(tmp_path, "private")
    inner = tmp_path / "dagster"
    inner.mkdir()
    remember_folder(inner)
    inner.rmdir()
    assert f"{inner}: removed or replaced" in str(find_removed(tmp_path))


def test_a_folder_that_was_there_keeps_its_permissions_and_is_told(tmp_path: Path) -> None:
    """A home may be /tmp or a volume that others use, too."""
    tmp_path.chmod(0o755)
    open_home(tmp_path, "private")
    assert mode(tmp_path) == 0o755
    assert not (tmp_path / MARKER).exists()
    assert too_open(tmp_path, "private") == (
        f"other users of this machine may read it (mode 755): chmod 700 {tmp_path}"
    )
    (tmp_path / "file").write_text("")
    assert mode(tmp_path / "file") == 0o600


def test_processes_that_dagster_starts_make_private_files(tmp_path: Path) -> None:
    """A web server, daemon or run that was not started by `analytics` writes to the home, too."""
    script = "from analytics_platform.definitions import defs; import os; defs(); print(oct(os.umask(0)))"
    environment = {**os.environ, "ANALYTICS_HOME": str(tmp_path / "home")}
    said = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout.strip() == "0o77", said.stderr
    assert not (tmp_path / "home").exists()
