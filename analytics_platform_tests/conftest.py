"""Fixtures and settings that every test shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from analytics_platform.settings.loader import Settings, environment_name
from analytics_platform.settings.validators import PREFIXES
from analytics_platform.system.cores import usable_cores
from analytics_platform_tests.sizes import NIGHTLY

# Two shared cores: a deadline per example would test the machine, not the code.
settings.register_profile(
    "day",
    deadline=None,
    max_examples=30,
    derandomize="CI" in os.environ,  # a change is judged by the same examples each time; at home new ones are tried
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("night", settings.get_profile("day"), max_examples=500, derandomize=False)
settings.load_profile("night" if NIGHTLY else "day")

LONGEST_FIRST = (
    "e2e/test_cli.py",
    "e2e/test_outage.py",
    "integration/store_agreement/test_agreement.py",
    "e2e/test_dagster_commands.py",
    "e2e/test_executors.py",
    "e2e/test_disk_full.py",
    "e2e/test_leases.py",
    "integration/nocodb/test_incremental.py",
    "e2e/test_kill.py",
    "e2e/test_compose.py",
    "integration/test_code_versions.py",
    "integration/test_secrets.py",
    "e2e/test_memory.py",
    "integration/test_processing_errors.py",
    "e2e/test_interrupt.py",
    "integration/test_graph_on_s3.py",
    "e2e/test_deletion.py",
    "integration/test_export_cases_graph.py",
    "e2e/test_blocks.py",
    "integration/store_agreement/test_damaged_files.py",
)
"""Files of 30 to 150 s, which begin first so that all workers end at about the same time; the others take less.

Of the first four, no two need the same prepared home: the second would wait for the first.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Return two workers per core where a file is a unit of work: end-to-end tests often wait.

    They wait for servers, leases, disks and timeouts for more than a third of their time. None leaves the number to
    xdist.
    """
    if config.getoption("dist") != "loadfile":
        return None
    return usable_cores() * 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what lives as long as the process: the modules and the collected tests.

    Each full collection walked half a million objects, which took a fifth of the time of the unit tests. What tests
    keep, such as engines and definitions, grows again, so full collections are made more rarely, too.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000, 10, 50)
        gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter free everything at its end; libraries that count references complain about the rest."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def settings_of_nobody() -> Iterator[None]:
    """Keep the variables and the ``.env`` of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        ours = [name for name in os.environ if name.upper().startswith(PREFIXES)]
        for name in (*map(environment_name, Settings.model_fields), "AWS_DEFAULT_REGION", *ours):
            patch.delenv(name, raising=False)
        patch.setitem(Settings.model_config, "env_file", None)
        yield
