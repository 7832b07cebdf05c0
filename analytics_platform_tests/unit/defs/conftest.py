from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import dagster as dg
import pytest

from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets.everyday import TABLES
from analytics_platform.defs.automation.sensor_state import SensorState
from analytics_platform.defs.automation.source_sensor import next_tick, run_requests
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.operations.runs.graph import Graph
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.operations.runs.run import materialize
from analytics_platform.settings.loader import load_settings

HEADER = "conversation_id,message_id,role,text,timestamp\n"
RAW = [dg.AssetKey(name) for name in ("raw_messages", "quarantined_rows", "unplaced_rows")]
NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


class Home:
    """A platform on files, its sensor's memory, and runs that are executed at once."""

    def __init__(self, path, monkeypatch, instance):
        monkeypatch.chdir(path)
        monkeypatch.setenv("ANALYTICS_HOME", str(path / "home"))
        monkeypatch.setenv("ANALYTICS_SOURCE", "files")
        monkeypatch.setenv("ANALYTICS_SOURCE_PATH", str(path / "chats.csv"))
        monkeypatch.setenv("ANALYTICS_START_DATE", "2024-01-01")
        monkeypatch.setenv("ANALYTICS_END_DATE", "2024-12-31")
        self.file = path / "chats.csv"
        self.instance = instance
        self.platform = Platform(load_settings())
        self.definitions = build_definitions(self.platform)
        self.cursor = SensorState()
        self.now = NOW

    @staticmethod
    def row(conversation: str, message: str, day: str, text: str = "hello") -> str:
        return f"{conversation},{message},user,{text},{day}T10:00:00Z\n"

    def write(self, *rows: str) -> None:
        self.file.write_text(HEADER + "".join(rows))

    def tick(self) -> list[dg.RunRequest]:
        tick = next_tick(self.platform, self.instance, self.cursor, self.now)
        self.cursor = tick.cursor
        self.reason = tick.reason
        return list(run_requests(tick.ask)) if tick.ask else []

    def run(self, requests: list[dg.RunRequest]) -> None:
        job = self.definitions.resolve_job_def(EVERYTHING)
        for request in requests:
            job.execute_in_process(
                instance=self.instance, tags=dict(request.tags), asset_selection=RAW, raise_on_error=False
            )

    def materialize(self, *days: str, selection: Sequence[dg.AssetKey] = RAW) -> Outcome:
        return materialize(
            self.platform,
            Graph.of(self.definitions, self.instance),
            days,
            job_name=EVERYTHING,
            assets=TABLES,
            selection=selection,
            force=False,
        )

    def ranges(self, requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
        ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        return [tuple(request.tags[name] for name in ends) for request in requests]


@pytest.fixture
def home(tmp_path, monkeypatch):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path, monkeypatch, instance)


@pytest.fixture(scope="module")
def lasting_home(tmp_path_factory):
    """A home for all tests of a module that only read it."""
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        yield Home(tmp_path_factory.mktemp("home"), patch, instance)
