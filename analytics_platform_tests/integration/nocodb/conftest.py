"""A real NocoDB server, shared by the tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analytics_platform.sources.nocodb import NocoClient
from analytics_platform_tests.integration.nocodb.install import UnavailableError, install
from analytics_platform_tests.integration.nocodb.server import NocoServer

INSTALL_SECONDS = 900
"""Long enough for a first installation, for whoever has not run ``make nocodb-server``."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.nocodb)
            item.add_marker(pytest.mark.timeout(INSTALL_SECONDS))


@pytest.fixture(scope="session")
def noco(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NocoServer]:
    """A running server; where it cannot be installed the test is skipped, in CI it fails."""
    try:
        program = install()
    except UnavailableError as error:
        if "CI" in os.environ:
            pytest.fail(str(error))
        pytest.skip(str(error))
    with NocoServer(program, tmp_path_factory.mktemp("nocodb")) as server:
        yield server


@pytest.fixture(params=["v2", "v3"])
def client(noco: NocoServer, request: pytest.FixtureRequest) -> Iterator[NocoClient]:
    """A client of the server without a rate limit, once for each version of the API."""
    with NocoClient(noco.url, noco.token, api_version=request.param, requests_per_second=None, page_rows=50) as client:
        yield client


@pytest.fixture
def read_ids(client: NocoClient) -> Callable[..., list[int]]:
    """Read a table and return the Ids of its rows in the order they came."""

    def read_ids(table: str, **options: object) -> list[int]:
        return [row["Id"] for page in client.pages(table, **options) for row in page]

    return read_ids
