"""Backup and restore on a real database: whole or not at all, every byte verified, and no newer document lost."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bson import ObjectId
from bson.int64 import Int64
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.tables.learning_tables import MODEL_EVALUATION, PROMOTED_MODEL
from analytics_platform.operations import backup_archive
from analytics_platform.operations.backup import NAMES, back_up, merge_evaluations, restore
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.entered_corrections import add_entered
from analytics_platform_tests.integration.secret_search import found_below
from analytics_platform_tests.servers import MongoServer, free_port

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

NOON = dt.datetime(2026, 11, 2, 12, 0, 0, 123_000, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(days=1)
PASSWORDS = {
    "ANALYTICS_PSEUDONYM_KEY": "pseudonyms-under-this-key-4711",
    "ANALYTICS_PII_SPANS_KEY": "sealed-under-this-key-of-32-bytes-0815",
    "ANALYTICS_LLM_API_KEY": "sk-paid-by-this-key-2342",
}
CORRECTION = {
    "_id": ObjectId("6560a0000000000000000001"), "conversation_id": "c1", "kind": "topic", "label": "audio",
    "author": "ann", "corrected_at": NOON, "note": "ü\u2028\"\n", "weight": Int64(3), "share": 2.0,
}  # fmt: skip
ANSWER = {"_id": "a" * 64, "model": "m", "kept_at": NOON, "labels": {"intent": "ask", "topics": [{"x": 0.5}]}}
CALL = {"_id": "call-1", "call_id": "call-1", "date": dt.datetime(2006, 6, 1, tzinfo=dt.UTC), "cost": 0.01}
BATCH = {
    "_id": "mark",
    "batch_id": "batch_0",
    "begun_at": NOON,
    "number": 1,
    "asked": {"b" * 64: {"date": "2006-06-01"}},
}
CURATED = {"_id": "t-7e25db8d33", "name": "Seat changes", "pinned": True, "changed_at": NOON}
EXAMPLES = {
    "label_feedback": CORRECTION, "topic_curation": CURATED, "llm_answers": ANSWER, "llm_calls": CALL,
    "llm_batches": BATCH,
}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[MongoServer]:
    with MongoServer(tmp_path_factory.mktemp("mongo")) as server:
        yield server


@pytest.fixture
def use(tmp_path, server, monkeypatch) -> Iterator[Callable[[str], Platform]]:
    """Point the settings at a home of that name, with a database of its own, and return its platform."""
    made: list[Platform] = []
    for name, value in PASSWORDS.items():
        monkeypatch.setenv(name, value)

    def use(name: str, *, stages: bool = False) -> Platform:
        database = hashlib.sha256(f"{tmp_path}/{name}".encode()).hexdigest()[:30]
        for variable, value in {"HOME": tmp_path / name, "MONGO_URI": server.uri, "MONGO_DATABASE": database}.items():
            monkeypatch.setenv(f"ANALYTICS_{variable}", str(value))
        made.append(Platform(load_settings(), stages=stages))
        return made[-1]

    yield use
    for platform in made:
        platform.close()


@pytest.fixture
def filled(use) -> Platform:
    """A home with one document of each collection, a promoted model and an evaluation."""
    platform = use("filled")
    platform.mongo.migrate()
    for name, document in EXAMPLES.items():
        put(platform, name, document)
    platform.lake.write("promoted_model", "", model("one"), "made of this", {"a": "b"})
    platform.lake.write("model_evaluation", "", evaluation("one", NOON), "made of that")
    return platform


def put(platform: Platform, name: str, document: dict[str, Any]) -> None:
    with platform.mongo.lend(name) as collection:
        collection.replace_one({"_id": document["_id"]}, document, upsert=True)


def documents(platform: Platform, name: str) -> list[dict[str, Any]]:
    with platform.mongo.lend(name) as collection:
        return sorted(collection.find({}), key=lambda document: str(document["_id"]))


def everything(platform: Platform) -> dict[str, Any]:
    tables = {table.name: platform.lake.info(table.name, "") for table in (PROMOTED_MODEL, MODEL_EVALUATION)}
    return {**{name: documents(platform, name) for name in EXAMPLES}, **tables}


def model(name: str) -> pa.Table:
    row = {"model_id": name, "taxonomy_version": "t", "encoder": "e", "corrections": 1, "content": name.encode()}
    return PROMOTED_MODEL.from_rows([row])


def evaluation(name: str, at: dt.datetime) -> pa.Table:
    texts = dict.fromkeys(("gold_version", "engine_version", "taxonomy_version"), "v")
    numbers = {"corrections": 1, "items": 1, "accuracy": 1.0, "macro_f1": 1.0, "ece": 0.0, "outcomes": []}
    at = at.replace(microsecond=0)
    return MODEL_EVALUATION.from_rows([{"evaluated_at": at, "model_id": name, "kind": "topic", **texts, **numbers}])


def test_people_change_topics_in_the_database_too(use, monkeypatch, caplog):
    """Names that changed back while the server did not answer would compute days anew, twice."""
    platform = use("curated", stages=True)
    platform.mongo.migrate()
    put(platform, "topic_curation", CURATED)
    put(platform, "topic_curation", {"_id": "t-2", "merge_into": "t-2", "changed_at": NOON})
    with pytest.raises(UserError, match="validation"):
        put(platform, "topic_curation", {"_id": "t-3", "nam": "Seats", "changed_at": NOON})
    curation = platform.topics.curation
    assert list(curation.topics) == [CURATED["_id"]]
    assert (curation.topics[CURATED["_id"]].name, curation.topics[CURATED["_id"]].date) == ("Seat changes", NOON.date())
    assert curation.problems == ("topic_curation, t-2: merge_into: leads back to t-2; name the topic that stays",)

    monkeypatch.setenv("ANALYTICS_MONGO_URI", f"mongodb://127.0.0.1:{free_port()}/?timeoutMS=500")
    with closing(Platform(load_settings(), stages=False)) as without_answer:
        assert without_answer.topics.curation == curation
    (told,) = [record.message for record in caplog.records if "topic_curation" in record.message]
    assert "what it said at the last reading holds meanwhile" in told


def test_restored_into_an_empty_home_everything_is_as_it_was(filled, use, tmp_path):
    """Types of BSON, such as whole numbers of 64 bits and times of milliseconds, would be lost in plain JSON."""
    back_up(filled, tmp_path / "backup")
    target = use("empty")
    found = restore(target, tmp_path / "backup")
    assert everything(target) == everything(filled)
    restored = documents(target, "label_feedback")[0]
    assert (type(restored["weight"]), type(restored["share"])) == (Int64, float)
    assert {part.added for part in found.parts.values()} == {1}
    again = restore(target, tmp_path / "backup")
    assert {(part.added, part.replaced, part.equal) for part in again.parts.values()} == {(0, 0, 1)}
    assert everything(target) == everything(filled)


def test_a_home_without_mongodb_gets_the_corrections_and_tables(filled, use, tmp_path, monkeypatch):
    """A restore asked for MongoDB first, so that a home with ANALYTICS_MONGO_URI=off could not be restored at all."""
    entered = {"conversation_id": "c2", "kind": "topic", "label": "audio", "author": "ann", "corrected_at": LATER}
    add_entered(filled.settings.entered_corrections, [entered])
    back_up(filled, tmp_path / "backup")
    use("off")
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    target = Platform(load_settings(), stages=False)
    found = restore(target, tmp_path / "backup")
    rows = {row["conversation_id"]: row for row in target.corrections.rows}
    assert set(rows) == {"c1", "c2"}
    assert rows["c1"]["feedback_id"] == str(CORRECTION["_id"])
    assert (rows["c1"]["corrected_at"], rows["c1"]["note"]) == (NOON, CORRECTION["note"])
    for table in (PROMOTED_MODEL, MODEL_EVALUATION):
        assert target.lake.info(table.name, "") == filled.lake.info(table.name, "")
    failures = [
        failure.split(" of the backup not restored, because ANALYTICS_MONGO_URI is off")[0]
        for failure in found.failures
    ]
    assert failures == [f"{name}: 1 document" for name in EXAMPLES if name != "label_feedback"]
    again = restore(target, tmp_path / "backup").parts["label_feedback"]
    assert (again.added, again.replaced, again.equal, again.kept) == (0, 0, 2, 0)
    assert target.corrections.rows == sorted(rows.values(), key=lambda row: row["feedback_id"])
    add_entered(target.settings.entered_corrections, [{**rows["c1"], "label": "mine", "corrected_at": LATER}])
    assert restore(target, tmp_path / "backup").parts["label_feedback"].kept == 1
    assert restore(target, tmp_path / "backup", replace=True).parts["label_feedback"].replaced == 1
    assert {row["conversation_id"]: row["label"] for row in target.corrections.rows} == {"c1": "audio", "c2": "audio"}


def test_a_home_restored_from_its_own_backup_can_be_backed_up_again(filled, tmp_path):
    """An entered correction was in MongoDB, too, and the next backup with both was refused as damaged."""
    entered = {"conversation_id": "c2", "kind": "topic", "label": "audio", "author": "ann", "corrected_at": LATER}
    add_entered(filled.settings.entered_corrections, [entered])
    assert back_up(filled, tmp_path / "one").rows["label_feedback"] == 2
    restore(filled, tmp_path / "one")
    assert back_up(filled, tmp_path / "two").rows["label_feedback"] == 2
    assert restore(filled, tmp_path / "two").parts["label_feedback"].equal == 2


def test_of_equal_ids_the_newer_wins_and_rows_of_the_target_stay(filled, use, tmp_path):
    back_up(filled, tmp_path / "backup")
    target = use("other")
    target.mongo.migrate()
    own = {**CORRECTION, "_id": "own", "label": "printing"}
    newer = {**CORRECTION, "label": "video", "corrected_at": LATER}
    put(target, "label_feedback", own)
    put(target, "label_feedback", newer)
    failure = {"_id": ANSWER["_id"], "kept_at": LATER, "failure": {"reason": "invalid"}}  # newer, and still no answer
    put(target, "llm_answers", failure)
    target.lake.write("promoted_model", "", model("two"), "f")
    target.lake.write("model_evaluation", "", evaluation("two", LATER), "f")
    found = restore(target, tmp_path / "backup")
    assert documents(target, "label_feedback") == [newer, own]
    assert documents(target, "llm_answers") == [ANSWER]
    assert target.lake.read("promoted_model", "")["model_id"].to_pylist() == ["two"]
    assert target.lake.read("model_evaluation", "")["model_id"].to_pylist() == ["one", "two"]
    counts = {name: (part.added, part.replaced, part.kept) for name, part in found.parts.items()}
    assert counts["label_feedback"] == counts["promoted_model"] == (0, 0, 1)
    assert (counts["llm_answers"], counts["model_evaluation"]) == ((0, 1, 0), (1, 0, 0))

    restore(target, tmp_path / "backup", replace=True)
    assert documents(target, "label_feedback") == [CORRECTION, own]
    assert target.lake.read("promoted_model", "")["model_id"].to_pylist() == ["one"]


def test_an_older_correction_and_answer_give_way_to_the_backup(filled, use, tmp_path):
    back_up(filled, tmp_path / "backup")
    target = use("older")
    target.mongo.migrate()
    put(target, "label_feedback", {**CORRECTION, "label": "old", "corrected_at": NOON - dt.timedelta(days=1)})
    put(target, "llm_answers", {**ANSWER, "labels": {}, "kept_at": NOON - dt.timedelta(days=1)})
    restore(target, tmp_path / "backup")
    assert documents(target, "label_feedback") == [CORRECTION]
    assert documents(target, "llm_answers") == [ANSWER]


def test_a_batch_whose_answers_are_all_there_is_not_reopened(filled, use, tmp_path):
    """A run would wait for it, and pay for the corrections of its answers again."""
    back_up(filled, tmp_path / "backup")
    target = use("settled")
    put(target, "llm_answers", {**ANSWER, "_id": "b" * 64})
    assert restore(target, tmp_path / "backup").parts["llm_batches"].settled == 1
    assert documents(target, "llm_batches") == []


def test_a_damaged_byte_anywhere_is_refused_before_anything_is_written(filled, use, tmp_path):
    back_up(filled, tmp_path / "backup")
    target = use("untouched")
    files = [path for path in sorted((tmp_path / "backup").rglob("*")) if path.is_file()]
    assert len(files) == 2 + len(EXAMPLES) + 2
    for path in files:
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 2):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(UserError, match=str(tmp_path / "backup")) as refusal:
                restore(target, tmp_path / "backup")
            assert len(refusal.value.faults) == 1
        path.unlink()
        with pytest.raises(UserError):
            restore(target, tmp_path / "backup")
        path.write_bytes(whole)
    assert not (tmp_path / "untouched").exists()
    with target.mongo.lend("label_feedback") as collection:
        assert collection.database.list_collection_names() == []


ANSWERS = "mongo/llm_answers.jsonl.gz"
MODEL = "lake/promoted_model/data.parquet"
DEEP = b'{"_id": "a", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}\n"
BAD_LINES = {
    "half a document": b'{"_id": \n',
    "no document": b"[1]\n",
    "no id": b'{"labels": {}}\n',
    "an id of a type that MongoDB refuses": b'{"_id": [1]}\n',
    "an operator as a field": b'{"_id": "a", "$set": {"x": 1}}\n',
    "lists in lists in lists": DEEP,
    "deeper than MongoDB takes": b'{"_id": "a", "x": ' + b"[" * 300 + b"]" * 300 + b"}\n",
    "no time": b'{"_id": "a", "kept_at": {"$date": "soon"}}\n',
    "a number beyond BSON": b'{"_id": "a", "x": 99999999999999999999999999}\n',
    "half a surrogate pair": b'{"_id": "a", "x": "\\ud800"}\n',
    "a name with a null character": b'{"_id": "a", "x\\u0000y": 1}\n',
    "another encoding": '{"_id": "a"}\n'.encode("utf-16"),
    "an empty line": b"\n",
    "no end of the line": b'{"_id": "a"}',
    "one document twice": b'{"_id": "a"}\n{"_id": "a"}\n',
}
BAD_FILES = {
    "no gzip": (ANSWERS, lambda _: b"hello"),
    "half a gzip file": (ANSWERS, lambda whole: whole[: len(whole) // 2]),
    "a gzip file without its end": (ANSWERS, lambda whole: whole[:-5]),
    "a gzip file with more behind it": (ANSWERS, lambda whole: whole + b"more"),
    "no Parquet": (MODEL, lambda _: b"hello"),
    "half a Parquet file": (MODEL, lambda whole: whole[: len(whole) // 2]),
    "Parquet of another program": (MODEL, lambda _: parquet({})),
    "Parquet with a footer of another form": (MODEL, lambda _: parquet({b"analytics_platform": b"[1]"})),
}
BAD_MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no files": lambda manifest: manifest.pop("files"),
    "files of null": lambda manifest: manifest.update(files=None),
    "an entry of null": lambda manifest: manifest["files"].append(None),
    "an entry twice": lambda manifest: manifest["files"].append(manifest["files"][0]),
    "rows in words": lambda manifest: manifest["files"][0].update(rows="many"),
    "other rows of a table": lambda manifest: manifest["files"][0].update(rows=99),
    "other rows of a collection": lambda manifest: manifest["files"][-1].update(rows=99),
    "rows of a truth value": lambda manifest: manifest["files"][0].update(rows=True),
    "another content hash": lambda manifest: manifest["files"][0].update(content_hash="0" * 64),
    "another size": lambda manifest: manifest["files"][0].update(bytes=1),
    "another hash": lambda manifest: manifest["files"][0].update(sha256="0" * 64),
    "the name of another collection": lambda manifest: manifest["files"][-1].update(name="llm_answers"),
    "no time": lambda manifest: manifest.pop("created_at"),
    "a time in words": lambda manifest: manifest.update(created_at="yesterday"),
    "no version": lambda manifest: manifest.pop("platform_version"),
}


def parquet(metadata: dict[bytes, bytes]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(model("one").replace_schema_metadata(metadata), sink)
    return sink.getvalue()


def reseal(path: Path, edit: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
    """Make sizes and sums of an edited backup right, as somebody would who edits one; then edit the manifest."""
    manifest = json.loads((path / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        content = (path / entry["path"]).read_bytes()
        entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    edit(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(path)}\n" for file in files]
    (path / "SHA256SUMS").write_text("".join(lines))


def set_answers(path: Path, content: bytes) -> None:
    """Replace the documents of the answers, and the number that the manifest states."""
    (path / ANSWERS).write_bytes(gzip.compress(content))

    def count(manifest: dict[str, Any]) -> None:
        entry = next(entry for entry in manifest["files"] if entry["path"] == ANSWERS)
        entry["rows"] = content.count(b"\n") or 1

    reseal(path, count)


def refusal_of(home: Platform, path: Path) -> str:
    """Return the one line with which a restore refuses a backup, after checking that it wrote nothing."""
    with pytest.raises(backup_archive.BackupError) as refusal:
        restore(home, path)
    (line,) = refusal.value.faults
    assert "take another backup" in line
    assert not home.settings.home.exists()
    with home.mongo.lend("label_feedback") as collection:
        assert collection.database.list_collection_names() == []
    return line


def faults_of_restore(home: Platform, path: Path) -> tuple[str, ...]:
    try:
        restore(home, path)
    except backup_archive.BackupError as error:
        return error.faults
    return ()


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_line_that_is_no_document_is_named_before_anything_is_written(filled, use, tmp_path, kind):
    """The right sums say that nobody touched the file since they were computed, not that its lines can be restored."""
    back_up(filled, tmp_path / "backup")
    set_answers(tmp_path / "backup", b'{"_id": "good"}\n' + BAD_LINES[kind])
    line = refusal_of(use("untouched"), tmp_path / "backup")
    assert f"{tmp_path / 'backup' / ANSWERS}: damaged backup (line {3 if 'twice' in kind else 2}" in line


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_of_another_form_is_named_before_anything_is_written(filled, use, tmp_path, kind):
    """A damaged table was found after the documents were merged, with the advice to repair the home."""
    back_up(filled, tmp_path / "backup")
    file, change = BAD_FILES[kind]
    path = tmp_path / "backup" / file
    path.write_bytes(change(path.read_bytes()))
    reseal(tmp_path / "backup")
    line = refusal_of(use("untouched"), tmp_path / "backup")
    assert line.startswith(f"{path}: damaged backup (")
    assert "repair" not in line


@pytest.mark.parametrize("kind", BAD_MANIFESTS)
def test_a_manifest_that_contradicts_the_files_is_refused(filled, use, tmp_path, kind):
    back_up(filled, tmp_path / "backup")
    reseal(tmp_path / "backup", BAD_MANIFESTS[kind])
    assert f"{tmp_path / 'backup' / 'manifest.json'}: " in refusal_of(use("untouched"), tmp_path / "backup")


def test_a_table_that_breaks_its_declaration_is_refused(filled, use, tmp_path):
    """The lake would hold a table that no run can read."""
    filled.lake.write("model_evaluation", "", evaluation("one", NOON).drop_columns(["accuracy"]), "made of that")
    back_up(filled, tmp_path / "backup")
    assert "model_evaluation" in refusal_of(use("untouched"), tmp_path / "backup")


def test_an_evaluation_from_before_a_column_existed_is_restored(filled, use, tmp_path):
    filled.lake.write("model_evaluation", "", evaluation("one", NOON).drop_columns(["engine_version"]), "made of that")
    back_up(filled, tmp_path / "backup")
    assert restore(use("newer"), tmp_path / "backup").parts["model_evaluation"].added == 1


def test_no_manipulation_with_right_sums_ends_in_a_trace(filled, use, tmp_path):
    """Flip, cut or replace bytes of documents, tables and manifest: the backup is refused in one line or restored."""
    path, random = tmp_path / "backup", Random(11)
    back_up(filled, path)
    whole = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    target, refused = use("fuzzed"), 0
    for _ in range(250):
        file = random.choice([file for file in sorted(whole) if file.name != "SHA256SUMS"])
        is_lines = file.suffix == ".gz"
        content = bytearray(gzip.decompress(whole[file]) if is_lines else whole[file])
        start = random.randrange(len(content))
        match random.choice(["flip", "cut", "replace"]):
            case "flip":
                content[start] ^= 1 << random.randrange(8)
            case "cut":
                del content[start : start + random.randrange(1, 40)]
            case "replace":
                content[start : start + 3] = random.choice([b"null", b"[[{", b'"$date"', b"\xff\xfe", b"-1e999", b"\n"])
        file.write_bytes(gzip.compress(content) if is_lines else content)
        if file.name == "manifest.json":  # its own sum, and the files as they are
            sums = whole[path / "SHA256SUMS"].decode().splitlines()
            sums[0] = f"{hashlib.sha256(content).hexdigest()}  manifest.json"
            (path / "SHA256SUMS").write_text("\n".join(sums) + "\n")
        else:
            reseal(path)
        before = everything(target)
        if faults := faults_of_restore(target, path):
            refused += 1
            assert len(faults) == 1
            assert everything(target) == before
        for changed, bytes_before in whole.items():
            changed.write_bytes(bytes_before)
    assert refused > 100


@pytest.mark.parametrize("kind", ["missing", "a file", "an empty folder", "another format", "a newer format"])
def test_what_is_no_backup_is_refused_in_one_line(filled, tmp_path, monkeypatch, kind):
    path = tmp_path / "backup"
    if kind == "a file":
        path.write_text("x")
    elif kind == "an empty folder":
        path.mkdir()
    elif kind != "missing":
        name, value = ("FORMAT", "other") if kind == "another format" else ("FORMAT_VERSION", 99)
        with monkeypatch.context() as patch:
            patch.setattr(backup_archive, name, value)
            back_up(filled, path)
    result = CliRunner().invoke(app, ["restore", str(path)])
    assert isinstance(result.exception, backup_archive.BackupError)  # which ``main`` prints, and exits with 2
    assert len(result.exception.faults) == 1
    assert str(path) in result.exception.faults[0]


def test_a_backup_is_its_owners_alone_and_holds_no_secret(filled, tmp_path):
    before = os.umask(0)
    try:
        back_up(filled, tmp_path / "backup")
    finally:
        os.umask(before)
    paths = [tmp_path / "backup", *(tmp_path / "backup").rglob("*")]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o700), (False, 0o600)}
    assert found_below(tmp_path / "backup", [*PASSWORDS.values(), filled.secret("mongo_uri")]) == []


def test_sha256sum_itself_finds_a_backup_whole(filled, tmp_path):
    back_up(filled, tmp_path / "backup")
    check = [shutil.which("sha256sum"), "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path / "backup", capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("where", ["exists", "in the home", "without a parent", "of an empty home"])
def test_a_backup_is_refused_where_it_would_be_lost_or_mean_nothing(filled, use, tmp_path, where):
    """A backup in the home is lost with it; an empty one, of a mistyped home, would take a good one's place."""
    path = {"in the home": tmp_path / "filled" / "backup", "without a parent": tmp_path / "no" / "backup"}.get(
        where, tmp_path / "backup"
    )
    if where == "exists":
        path.mkdir()
    (tmp_path / "filled").mkdir(exist_ok=True)
    with pytest.raises(UserError):
        back_up(use("nothing") if where == "of an empty home" else filled, path)
    assert list(tmp_path.glob("**/.*.tmp")) == []
    assert path.exists() == (where == "exists")


BACK_UP = """
import sys, time
from pathlib import Path
from analytics_platform.operations import backup_archive, backup
stop = int(sys.argv[2])
steps = 0
def slow(function):
    def step(*arguments):
        global steps
        steps += 1
        if steps == stop:
            print("there", flush=True)
            time.sleep(60)
        return function(*arguments)
    return step
backup.write_lines = slow(backup_archive.write_lines)
backup.seal = slow(backup_archive.seal)
backup_archive._sync = slow(backup_archive._sync)
backup_archive._hash = slow(backup_archive._hash)
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.loader import load_settings
backup.back_up(Platform(load_settings(), stages=False), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("stop", [1, 4, 9, 20])
def test_a_backup_that_is_killed_leaves_nothing_that_looks_like_one(filled, tmp_path, stop):
    path = tmp_path / "backup"
    command = [sys.executable, "-c", BACK_UP, str(path), str(stop)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
    assert not path.exists()
    left = list(tmp_path.glob(".backup.*.tmp"))
    assert len(left) == 1
    os.utime(left[0], (time.time() - 3600,) * 2)
    back_up(filled, path)  # and clears away what the killed one left
    assert list(tmp_path.glob(".backup.*.tmp")) == []
    assert backup_archive.open_archive(path, NAMES).rows


def test_a_document_that_the_validator_refuses_is_named_and_the_rest_restored(filled, use, tmp_path):
    """A correction from before the validator was there must not keep the other corrections out."""
    with filled.mongo.lend("label_feedback") as collection:
        collection.drop()
        collection.insert_many([{"_id": "unfit", "label": 3}, CORRECTION])
    back_up(filled, tmp_path / "backup")
    target = use("strict")
    result = CliRunner().invoke(app, ["restore", str(tmp_path / "backup")])
    assert documents(target, "label_feedback") == [CORRECTION]
    assert result.exit_code == 1
    assert "'unfit'" in result.output


def test_a_restore_says_what_it_wrote_and_what_it_left(filled, use, tmp_path):
    runner = CliRunner()
    assert "label_feedback    1" in runner.invoke(app, ["backup", str(tmp_path / "backup")]).output
    target = use("told")
    target.mongo.migrate()
    put(target, "label_feedback", {**CORRECTION, "corrected_at": LATER})
    said = runner.invoke(app, ["restore", str(tmp_path / "backup")]).output
    assert "label_feedback    1 not restored, because the stored one is newer" in said
    assert "llm_answers       1 written" in said
    assert "ANALYTICS_PSEUDONYM_KEY" in said


def test_the_embedded_server_is_backed_up_and_restored_alike(tmp_path, monkeypatch):
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        monkeypatch.setenv("ANALYTICS_HOME", str(home))
        with closing(Platform(load_settings(), stages=False)) as platform:
            if home == homes[0]:
                platform.mongo.migrate()
                for number in range(2500):  # more than are restored at once
                    put(platform, "llm_answers", {**ANSWER, "_id": f"{number}"})
                back_up(platform, tmp_path / "backup")
            else:
                assert restore(platform, tmp_path / "backup").parts["llm_answers"].added == 2500
                assert len(documents(platform, "llm_answers")) == 2500


def test_evaluations_of_two_homes_are_merged_by_key_and_time():
    one, two = evaluation("one", LATER), evaluation("two", NOON)
    merged, counts = merge_evaluations(one, pa.concat_tables([two, one]), replace=False)
    assert merged["model_id"].to_pylist() == ["two", "one"]
    assert (counts.added, counts.equal) == (1, 1)
