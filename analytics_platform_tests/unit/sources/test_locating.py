"""Which files of a source are found, and what is told of files that this user may not read."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from analytics_platform.sources.base import SourceError
from analytics_platform.sources.file_reading.locating import find_files, locate_files
from analytics_platform_tests.rights import usual_rights
from analytics_platform_tests.unit.sources.conftest import Folder


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


MESSAGES = "conversation_id,role,text,timestamp\n1,user,hello,2024-06-20T08:00:00Z\n"
USERS = "id,name,email,role\n1,Anna,a@example.org,admin\n"


@pytest.fixture(params=["folder", "zip"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder or zip with a table of messages and a list of users."""
    (tmp_path / "mixed").mkdir()
    for name, content in (("a.csv", MESSAGES), ("users.csv", USERS)):
        (tmp_path / "mixed" / name).write_text(content)
    if request.param == "folder":
        return tmp_path / "mixed"
    return Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "mixed"))


def test_a_table_of_something_else_beside_messages_is_left_out(mixed: Path, folder: Folder) -> None:
    """One list of users refused a whole folder of messages."""
    source = folder.source(str(mixed))

    assert "not read since they changed" in source.glance()
    assert [row["text"] for row in source.read_day("2024-06-20").messages.to_pylist()] == ["hello"]


def test_a_named_table_of_something_else_is_refused(folder: Folder) -> None:
    """A file that a user names itself must not vanish."""
    folder.write("a.csv", MESSAGES)
    folder.write("users.csv", USERS)

    with pytest.raises(SourceError, match=r"users.csv: lacks the column conversation_id, text"):
        folder.source("*.csv").days()


def test_a_folder_of_nothing_but_other_tables_is_refused(tmp_path: Path, folder: Folder) -> None:
    """Without messages in another file, the reason must be said."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "users.csv").write_text(USERS)
    source = folder.source("lists")

    for read in (source.glance, source.days):
        with pytest.raises(SourceError, match=r"users.csv: lacks the column"):
            read()


def test_messages_whose_text_column_is_unknown_are_refused_in_a_folder(mixed: Path, folder: Folder) -> None:
    """A table that lacks only its text is one of messages, and a mapping can name the column."""
    (folder.path / "mixed" / "b.csv").write_text(MESSAGES.replace("text", "wording"))

    with pytest.raises(SourceError, match=r"b.csv: lacks the column text"):
        folder.source("mixed").days()
