from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from analytics_platform.definitions import EVERYTHING
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform_tests.integration.store_agreement.built_home import DAYS, Home


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[Home]:
    """Three days of the sample, built once."""
    path = tmp_path_factory.mktemp("agreement") / "home"
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("ANALYTICS_HOME", str(path))
        patch.setenv("ANALYTICS_START_DATE", DAYS[0])
        patch.setenv("ANALYTICS_END_DATE", DAYS[-1])
        prepare_manifest(load_settings().dbt_project_dir)
        built = Home(path, instance)
        try:
            outcome = materialize(
                built.platform, Graph.of(built.definitions, instance), DAYS,
                job_name=EVERYTHING, assets=TABLES, selection=None, force=False,
            )  # fmt: skip
            assert outcome.failures == []
            yield built
        finally:
            built.close()


@pytest.fixture
def home(built) -> Iterator[Home]:
    """The three days, mended when the test is over: one that fails leaves nothing to the next."""
    yield built
    built.repair()
