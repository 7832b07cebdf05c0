from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.definitions import EVERYTHING
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.warehouse.dbt_project import prepare_manifest
from analytics_platform_tests.integration.store_agreement.built_home import DAYS, Home
from analytics_platform_tests.shared import made_once


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Iterator[Home]:
    """Three days of the sample, built once for all files of this folder; each file has a copy."""
    path = tmp_path_factory.mktemp("agreement") / "home"
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("ANALYTICS_START_DATE", DAYS[0])
        patch.setenv("ANALYTICS_END_DATE", DAYS[-1])

        def make(folder: Path) -> None:
            patch.setenv("ANALYTICS_HOME", str(folder / "home"))
            build(folder / "home")

        made = made_once(tmp_path_factory, "agreement", make)
        shutil.copytree(made / "home", path)
        patch.setenv("ANALYTICS_HOME", str(path))
        built = Home(path, instance)
        try:
            yield built
        finally:
            built.close()


def build(path: Path) -> None:
    """Compute the three days in a home."""
    prepare_manifest(load_settings().dbt_project_dir)
    with dg.DagsterInstance.ephemeral() as instance:
        home = Home(path, instance)
        try:
            outcome = materialize(
                home.platform, Graph.of(home.definitions, instance), DAYS,
                job_name=EVERYTHING, assets=TABLES, selection=None, force=False,
            )  # fmt: skip
            assert outcome.failures == []
        finally:
            home.close()


@pytest.fixture
def home(built) -> Iterator[Home]:
    """The three days, mended when the test is over: one that fails leaves nothing to the next."""
    yield built
    built.repair()
