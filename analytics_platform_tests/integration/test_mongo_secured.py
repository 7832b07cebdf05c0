"""The store on a MongoDB server that wants TLS and a password: SecantusDB, with a certificate of our own authority."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import trustme
from pymongo import MongoClient

from analytics_platform.storage.mongo import COLLECTIONS, MongoStore, MongoStoreError

pytestmark = pytest.mark.integration

DAY = "2026-01-05"
PASSWORD = "open-sesame-4711"
READY_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A server, and the files a client needs."""

    port: int
    authority: Path
    other_authority: Path

    def uri(self, *, password: str = PASSWORD, authority: Path | None = None) -> str:
        options = f"tls=true&tlsCAFile={authority or self.authority}&authSource=admin&directConnection=true"
        return f"mongodb://analytics:{password}@localhost:{self.port}/?{options}"


@pytest.fixture(scope="module")
def server(tmp_path_factory, port) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("secured")
    authority, certificate, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    issuer = trustme.CA()
    issued = issuer.issue_cert("localhost")
    issuer.cert_pem.write_to_path(authority)
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    trustme.CA().cert_pem.write_to_path(folder / "other.pem")
    secured = Server(port, authority, folder / "other.pem")
    plain = f"mongodb://localhost:{secured.port}/?directConnection=true"
    with running(folder, secured.port), MongoClient(plain) as client:  # the user is made before anybody must be one
        client.admin.command("createUser", "analytics", pwd=PASSWORD, roles=["root"])
    options = ["--auth", "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with running(folder, secured.port, *options):
        yield secured


@contextmanager
def running(folder: Path, port: int, *options: str) -> Iterator[None]:
    """Run the server until the block ends."""
    program = shutil.which("secantusd-py", path=str(Path(sys.executable).parent))
    assert program, "secantusdb is not installed: make test installs it"
    command = [program, "--host", "localhost", "--port", str(port), "--storage-path", str(folder / "data"), *options]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for_port(port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server did not get ready:\n{log.read_text()[-2000:]}")


def some_value(kind: pa.DataType, number: int) -> Any:
    """Return a value of an Arrow type."""
    if pa.types.is_fixed_size_list(kind):
        return [some_value(kind.value_type, number)] * kind.list_size
    if pa.types.is_list(kind):
        return [some_value(kind.value_type, number)]
    if pa.types.is_struct(kind):
        return {field.name: some_value(field.type, number) for field in kind}
    day = dt.date.fromisoformat(DAY)
    for matches, value in (
        (pa.types.is_string, f"text {number} ü"),
        (pa.types.is_integer, 1),
        (pa.types.is_floating, 0.5),
        (pa.types.is_boolean, True),
        (pa.types.is_date, day),
        (pa.types.is_timestamp, dt.datetime.combine(day, dt.time(12), dt.UTC)),
    ):
        if matches(kind):
            return value
    raise TypeError(kind)


def some_rows(collection: Any, count: int) -> pa.Table:
    """Return valid rows of a collection, whatever it is."""
    rows = []
    for number in range(count):
        row = {column.name: some_value(column.type, number) for column in collection.table.columns}
        row |= {column.name: min(column.allowed) for column in collection.table.columns if column.allowed}
        rows.append(row | collection.fixed)
    return collection.table.from_rows(rows)


def test_every_collection_is_written_and_read_through_tls_and_a_password(server):
    with MongoStore(server.uri(), "analytics") as store:
        for collection in COLLECTIONS:
            key = DAY if collection.partition else ""
            rows = some_rows(collection, 1 if collection.fixed else 50)
            written = store.write(collection.address, key, rows, "provenance")
            assert store.read(collection.address, key).equals(rows)
            assert store.keys(collection.address) == [key]
            assert store.info(collection.address, key) == written
            store.write(collection.address, key, rows.slice(0, 1), "provenance")
            assert store.read(collection.address, key).num_rows == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda server: server.uri(password="wrong-8912"), "user or password"),
        (lambda server: server.uri(authority=server.other_authority), "certificate is not trusted"),
        (lambda server: server.uri().replace("localhost", "127.0.0.1"), "certificate is not trusted"),
        (lambda server: f"mongodb://localhost:{server.port}/?directConnection=true", "TLS"),
    ],
    ids=["password", "authority", "name", "no_tls"],
)
def test_what_is_not_right_is_refused_in_one_clear_line_without_secrets(server, wrong, says):
    uri = wrong(server)
    with MongoStore(uri, "analytics", timeout_seconds=2) as store, pytest.raises(MongoStoreError) as caught:
        store.keys(COLLECTIONS[0].name)
    message = str(caught.value)
    assert says in message
    assert f":{server.port}" in message
    assert "\n" not in message
    assert PASSWORD not in message + repr(store)
    assert "wrong-8912" not in message + repr(store)
    assert caught.value.__cause__ is None
