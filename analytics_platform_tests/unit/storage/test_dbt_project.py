"""Preparing the manifest: by one process at a time, as a whole or not at all; without dbt itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from analytics_platform.storage.warehouse import dbt_project
from analytics_platform.storage.warehouse.dbt_project import DbtError, ManifestError, load_manifest, prepare_manifest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").write_text("name: one")
    return tmp_path


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch, project: Path) -> list[str]:
    """Stand in for ``dbt parse``: the manifest says what the project said; the parses are listed."""
    done: list[str] = []

    def parse(arguments: list[str], _on_message: object) -> None:
        target = Path(arguments[arguments.index("--target-path") + 1])
        time.sleep(0.05)  # long enough for the others to arrive
        done.append((project / "dbt_project.yml").read_text())
        (target / "manifest.json").write_bytes(orjson.dumps({"of": done[-1]}))
        (target / "partial_parse.msgpack").write_bytes(b"")

    monkeypatch.setattr(dbt_project, "_invoke", parse)
    return done


def test_of_several_at_once_one_parses_and_all_find_its_manifest(project: Path, parses: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(prepare_manifest, [project] * 4))) == 1
    assert parses == ["name: one"]
    assert load_manifest(project) == {"of": "name: one"}
    assert {path.suffix for path in (project / "target").iterdir()} <= {".json", ".msgpack", ".hash", ".lock"}


def test_a_parse_that_fails_leaves_the_manifest_that_was(
    project: Path, parses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_manifest(project)
    (project / "dbt_project.yml").write_text("broken")

    def fail(*_: object) -> None:
        raise DbtError("does not parse")

    monkeypatch.setattr(dbt_project, "_invoke", fail)
    with pytest.raises(DbtError):
        prepare_manifest(project)
    (project / "dbt_project.yml").write_text("name: one")
    assert load_manifest(project) == {"of": "name: one"}


@pytest.mark.parametrize("file", ["manifest.json", "partial_parse.msgpack", "manifest.hash"])
def test_a_manifest_is_never_taken_for_that_of_another_project(
    project: Path, parses: list[str], monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    prepare_manifest(project)
    (project / "dbt_project.yml").write_text("name: two")
    write = dbt_project.write_atomically

    def die(path: Path, content: bytes) -> None:
        if path.name == file:
            raise OSError("killed here")
        write(path, content)

    monkeypatch.setattr(dbt_project, "write_atomically", die)
    with pytest.raises(OSError, match="killed here"):
        prepare_manifest(project)
    for text in ("name: one", "name: two"):
        (project / "dbt_project.yml").write_text(text)
        with pytest.raises(ManifestError):
            load_manifest(project)
