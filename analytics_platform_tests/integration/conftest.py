"""Real servers, started for the tests on a free port of 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analytics_platform_tests.servers import S3Server, free_port


@pytest.fixture(scope="session")
def port() -> int:
    """A port that is free."""
    return free_port()


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    """A SeaweedFS server with one bucket."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
