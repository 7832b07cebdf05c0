from __future__ import annotations

import sys

import pytest

from analytics_platform.storage.mongo import EmbeddedMongo, EmbeddedMongoError


def test_a_missing_server_program_is_told_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    embedded = EmbeddedMongo(tmp_path / "mongo")
    with pytest.raises(EmbeddedMongoError, match=r"analytics-platform\[local\].*ANALYTICS_MONGO_URI"):
        embedded.acquire()
    embedded.release()


def test_nothing_is_written_before_the_server_is_asked_for(tmp_path):
    EmbeddedMongo(tmp_path / "mongo").release()
    assert not (tmp_path / "mongo").exists()


def test_a_program_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "secantusd-py"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho something is amiss >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    with pytest.raises(EmbeddedMongoError, match="ended while starting; the end of its log:\nsomething is amiss"):
        EmbeddedMongo(tmp_path / "mongo").acquire()


def test_a_program_that_never_listens_is_stopped_after_the_time_allowed(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "secantusd-py"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nsleep 60 &\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    embedded = EmbeddedMongo(tmp_path / "mongo", start_seconds=0.3)
    with pytest.raises(EmbeddedMongoError, match=r"does not answer after 0\.3 s"):
        embedded.acquire()
    assert embedded.running() is None
