"""Fixtures and settings that every test shares."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from analytics_platform.settings.loader import Settings, environment_name
from analytics_platform.settings.validators import PREFIXES
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


@pytest.fixture(scope="session", autouse=True)
def settings_of_nobody() -> Iterator[None]:
    """Keep the variables and the ``.env`` of whoever runs the tests out of them."""
    with pytest.MonkeyPatch.context() as patch:
        ours = [name for name in os.environ if name.upper().startswith(PREFIXES)]
        for name in (*map(environment_name, Settings.model_fields), "AWS_DEFAULT_REGION", *ours):
            patch.delenv(name, raising=False)
        patch.setitem(Settings.model_config, "env_file", None)
        yield
