"""Real servers, started for the tests on a free port of 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from analytics_platform.settings.loader import Settings
from analytics_platform_tests.servers import S3Server, free_port
from analytics_platform_tests.shared import shared_classifiers


@pytest.fixture(scope="session", autouse=True)
def one_folder_of_classifiers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let all homes share their fitted classifiers: a fit takes seconds, and most homes have the same ones."""
    folder = shared_classifiers(tmp_path_factory)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Settings, "classifiers_dir", property(lambda _: folder))
        yield


@pytest.fixture(scope="session")
def port() -> int:
    """A port that is free."""
    return free_port()


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    """A SeaweedFS server with one bucket."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server
