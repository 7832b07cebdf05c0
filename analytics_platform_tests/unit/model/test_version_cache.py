"""Code versions that are kept from one process to the next."""

from __future__ import annotations

import os
import sys

import pytest

from analytics_platform.model.version_cache import VersionCache


@pytest.fixture(autouse=True)
def writing(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def package(tmp_path):
    (tmp_path / "rooms").mkdir()
    for name in ("one.py", "rooms/two.py", "words.txt"):
        (tmp_path / name).write_text("content")
    return tmp_path


def test_a_version_is_kept_for_the_next_process(package):
    VersionCache(package).put("one", "abc")
    VersionCache(package).put("two", "def")
    assert [VersionCache(package).get(key) for key in ("one", "two", "three")] == ["abc", "def", None]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "rooms" / "two.py").write_text("another content"),
        lambda root: os.utime(root / "one.py", ns=(1, 1)),
        lambda root: (root / "words.txt").rename(root / "names.txt"),
        lambda root: (root / "rooms" / "three.py").touch(),
        lambda root: (root / "words.txt").unlink(),
    ],
    ids=["content", "time", "name", "a new file", "a removed file"],
)
def test_any_change_of_the_package_drops_every_version(package, change):
    """A version of earlier code would leave partitions unchanged that the new code computes differently."""
    VersionCache(package).put("one", "abc")
    change(package)
    assert VersionCache(package).get("one") is None


@pytest.mark.parametrize("content", ["", "[]", '{"state": 1}', '{"state": "x", "versions": 3}', "\0"])
def test_a_damaged_file_of_versions_counts_as_none(package, content):
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "code_versions.json").write_text(content)
    cache = VersionCache(package)
    assert cache.get("one") is None
    cache.put("one", "abc")
    assert VersionCache(package).get("one") == "abc"


def test_nothing_is_written_where_python_writes_no_bytecode(package, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    VersionCache(package).put("one", "abc")
    assert not (package / "__pycache__").exists()


def test_a_link_to_nothing_in_the_package_is_no_error(package):
    """Editors lock a file by such a link; every command would have ended with a traceback."""
    VersionCache(package).put("one", "abc")
    (package / ".#one.py").symlink_to("nobody@nowhere")
    assert VersionCache(package).get("one") == "abc"


def test_a_folder_that_cannot_be_written_is_no_error(package):
    (package / "__pycache__").write_text("a file in the place of the folder")
    cache = VersionCache(package)
    cache.put("one", "abc")
    assert cache.get("one") == "abc"
    assert VersionCache(package).get("one") is None
