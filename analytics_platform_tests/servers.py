"""Real servers as processes of the tests, on free ports of 127.0.0.1, that can be killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A server process over a folder; a context manager that starts and stops it.

    Args:
        folder: For its data and its log.
        command: How it is started, the same each time.
        variables: Further environment variables of it.
        owner: User whose process it is; None for the user of the tests.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], variables: dict[str, str] | None = None, owner: str | None = None
    ) -> None:
        self.folder = folder
        self._command = [program(command[0]), *command[1:]]
        self._environment = {**os.environ, **(variables or {})}
        self._owner = owner
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # nobody reads its data any more, and SeaweedFS takes twenty seconds to end when it is asked

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, cwd=self.folder, user=self._owner
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.answers():
                return
            time.sleep(0.2)
        self.kill()
        end = (self.folder / "log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self._command[0]} did not get ready; the end of its log:\n{end}")

    def answers(self) -> bool:
        """Tell whether it is ready."""
        raise NotImplementedError

    def kill(self) -> None:
        """End it as a crash does; what it had not written is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class S3Server(Server):
    """SeaweedFS with one bucket.

    Attributes:
        url: Endpoint.
        key: Access key.
        secret: Secret key.
        bucket: A bucket of its own.
    """

    def __init__(self, folder: Path, *, key: str = "the-key", secret: str = "the-secret") -> None:
        port = free_port()
        self.url, self.key, self.secret, self.bucket = f"http://127.0.0.1:{port}", key, secret, "lake"
        ports = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")]
        grpc = [f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")]
        command = [
            "weed", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={port}",
            *ports, *grpc, "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=20", "-master.volumeSizeLimitMB=256",
            "-master.electionTimeout=1s",  # one that was killed waits as long for others before it serves again
        ]  # fmt: skip
        super().__init__(folder, command, {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret})

    @property
    def variables(self) -> dict[str, str]:
        """The environment that points the platform at it."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}

    def client(self) -> Any:
        """Return a client that does not try twice."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0}),
        )

    def answers(self) -> bool:
        """Tell whether it can be written to; makes the bucket."""
        client = self.client()
        try:
            if self.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=self.bucket)
            client.put_object(Bucket=self.bucket, Key="ready", Body=b"")
        except (BotoCoreError, ClientError):
            return False
        return True


class MongoServer(Server):
    """SecantusDB as a server that the platform is told of by URI.

    Args:
        folder: For its data and its log.
        options: Further ones of its command line.

    Attributes:
        uri: Where it is.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        port = free_port()
        self.uri = f"mongodb://127.0.0.1:{port}/?directConnection=true"
        command = ["secantusd-py", "--host", "127.0.0.1", "--port", str(port), "--sync-on-commit", *options]
        super().__init__(folder, [*command, "--storage-path", str(folder / "data")])

    def answers(self) -> bool:
        """Tell whether it is ready."""
        client: MongoClient[Any] = MongoClient(self.uri, timeoutMS=2000)
        with client:
            try:
                client.admin.command("ping")
            except OperationFailure:
                return True  # it wants to know who asks
            except PyMongoError:
                return False
        return True


def program(name: str) -> str:
    """Return the path of a program that is installed beside Python."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, f"{name} is not installed: make test installs it"
    return found


class PostgresServer(Server):
    """A PostgreSQL server of Debian's package, which refuses to run as root; one database and one user."""

    PASSWORD = "pass%word"

    def __init__(self, folder: Path) -> None:
        owner = "nobody" if os.geteuid() == 0 else None
        (secret := folder / "password").write_text(self.PASSWORD)
        if owner:
            for path in (folder, secret):  # other tests of the process may have made new files private
                shutil.chown(path, owner)
        self.port = free_port()
        data = folder / "data"
        subprocess.run(
            [_of_postgres("initdb"), "-D", data, "-U", "analytics", "-A", "scram-sha-256", f"--pwfile={secret}"],
            user=owner, check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        options = ["-c", "fsync=off", "-k", str(folder), "-h", "127.0.0.1", "-p", str(self.port)]
        super().__init__(folder, [_of_postgres("postgres"), "-D", str(data), *options], owner=owner)

    @property
    def url(self) -> str:
        """Address of its database, with user and password."""
        return f"postgresql://analytics:{quote(self.PASSWORD)}@127.0.0.1:{self.port}/postgres"

    def answers(self) -> bool:
        """Whether it accepts connections."""
        command = [_of_postgres("pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _of_postgres(name: str) -> str:
    """Return the path of a program of PostgreSQL; Debian puts the server's own programs beside no others."""
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(versions[-1]) if versions else shutil.which(name)
    assert found, f"{name} is missing; install the Debian package postgresql"
    return found
