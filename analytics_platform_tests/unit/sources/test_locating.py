"""Which files of a source are found, and what is told of files that this user may not read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.locating import find_files, locate_files
from analytics_platform_tests.rights import usual_rights


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    for name in ("a.csv", "2024/b.csv", "lost+found/c.csv", ".cache/d.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("conversation_id,role,text\n")
    with zipfile.ZipFile(folder / "e.zip", "w") as archive:
        archive.writestr("chats.csv", "conversation_id,role,text\n")
    return folder


@pytest.mark.parametrize(
    ("pattern", "blocked", "mode"),
    [
        ("", "", 0o000),
        ("", "", 0o600),
        ("", "2024", 0o000),
        ("", "2024", 0o600),
        ("", "a.csv", 0o000),
        ("", "e.zip", 0o000),
        ("a.csv", "a.csv", 0o000),
        ("2024/b.csv", "2024", 0o000),
        ("*.csv", "", 0o000),
        ("*.csv", "a.csv", 0o000),
        ("*/b.csv", "2024", 0o000),
        ("**/b.csv", "2024", 0o000),
        ("e.zip", "e.zip", 0o000),
    ],
)
def test_a_file_or_folder_without_permission_is_named_with_the_setting(
    exports: Path, pattern: str, blocked: str, mode: int
) -> None:
    """The line named no setting; a folder within a folder was left out without a word."""
    place = exports / blocked
    before = place.stat().st_mode
    place.chmod(mode)
    try:
        with usual_rights(), pytest.raises(SourceError) as refusal:
            find_files(str(exports / pattern))
    finally:
        place.chmod(before)
    (line,) = refusal.value.faults
    assert line.startswith(f"ANALYTICS_SOURCE_PATH: {place}: this user (")
    assert f"mode {mode:03o}); chmod u+" in line


def test_folders_that_hold_no_export_may_be_closed(exports: Path) -> None:
    """A mounted volume has a folder of root, and a folder of exports may hold hidden files."""
    closed = [exports / "lost+found", exports / ".cache"]
    for folder in closed:
        folder.chmod(0)
    with usual_rights():
        assert [file.label for file in find_files(str(exports))] == ["b.csv", "a.csv", "chats.csv"]
    for folder in closed:
        folder.chmod(0o700)


def test_files_beside_an_export_of_chats_are_read(tmp_path: Path) -> None:
    """Each other file in the folder of a ``conversations.json`` was left out without a word."""
    for name in ("conversations.json", "tickets.csv", "finetune.jsonl", "user.json", "chat.html"):
        (tmp_path / name).write_text("[]")

    found = locate_files(str(tmp_path))

    assert [file.label for file in found.files] == ["conversations.json", "finetune.jsonl", "tickets.csv"]
    assert [left_out.files for left_out in found.left_out] == ["chat.html, user.json"]


def test_skipped_formats_and_inner_zips_are_counted(tmp_path: Path) -> None:
    """Texts, PDFs and zips within a zip were skipped without a word."""
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        for name in ("chats.csv", "README.txt", "a.pdf", "b.pdf", "inner.zip", "~$book.xlsx", ".DS_Store"):
            archive.writestr(name, "conversation_id,role,text\n")

    found = locate_files(str(tmp_path / "e.zip"))

    assert [file.label for file in found.files] == ["chats.csv"]
    assert [left_out.files for left_out in found.left_out] == ["4 further files (2 .pdf, 1 .txt, 1 .zip)"]
