"""The sensor ``alerts`` on a real instance: what fails is told once, with a link."""

import time

import dagster as dg
import pytest

from analytics_platform.alerting import Alerts, Links
from analytics_platform.defs.automation.alerts_sensor import alerts_sensor
from analytics_platform.defs.framework.day_ranges import RANGE_END_TAG, RANGE_START_TAG
from analytics_platform.defs.resources.instance_folder import open_instance, prepare_instance
from analytics_platform.settings.loader import PROJECT_ROOT

SECRET_ROW = "my name is Ada and my card is 4111"


class Flags(dg.Config):
    broken: bool = False


@dg.asset
def source(config: Flags) -> None:
    if config.broken:
        raise ValueError(SECRET_ROW)


@dg.asset(deps=[source])
def derived() -> None: ...


@dg.asset_check(asset=derived)
def adds_up(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    passed = "analytics/bad" not in context.run.tags
    severity = dg.AssetCheckSeverity(context.run.tags.get("analytics/bad", "ERROR"))
    return dg.AssetCheckResult(
        passed=passed, severity=severity, metadata={"problem_count": 3, "problems": [SECRET_ROW]}
    )


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """The platform's own instance, with a history of its own."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    prepare_instance(tmp_path, PROJECT_ROOT)
    with open_instance(tmp_path) as instance:
        yield instance


@pytest.fixture
def world(instance, tmp_path):
    return World(instance, tmp_path)


class World:
    """Assets, an instance, the sensor with its cursor, and what it raised."""

    def __init__(self, instance, folder, stale_hours=None):
        self.instance = instance
        self.raised = []
        self.now = time.time()
        self.cursor = None
        self.alerts = Recording(folder / "alerts.sqlite", lambda: None, repeat_hours=24)
        self.defs = dg.Definitions(
            assets=[source, derived], asset_checks=[adds_up], jobs=[dg.define_asset_job("everything")]
        )
        self.stale_hours = stale_hours
        self.tick()

    def run(self, *, broken=False, bad="", selection=None, day="2026-01-05", end="2026-01-06"):
        tags = {RANGE_START_TAG: day, RANGE_END_TAG: end, **({"analytics/bad": bad} if bad else {})}
        return self.defs.resolve_job_def("everything").execute_in_process(
            instance=self.instance,
            tags=tags,
            raise_on_error=False,
            asset_selection=selection,
            run_config={"ops": {"source": {"config": {"broken": broken}}}} if broken else {},
        )

    def tick(self):
        sensor = alerts_sensor(
            lambda: self.alerts,
            Links("http://ui"),
            [*source.specs, *derived.specs],
            stale_hours=self.stale_hours,
            clock=lambda: self.now,
        )
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = sensor(context)
        self.cursor = context.cursor
        return result


class Recording(Alerts):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.news = []

    def raise_alert(self, kind, key, title, text, link=""):
        if super().raise_alert(kind, key, title, text, link):
            self.news.append((kind, title, text, link))
            return True
        return False


def test_a_failed_check_is_told_although_its_run_succeeded(world):
    run = world.run(bad="ERROR")
    assert run.success
    world.tick()
    [(kind, title, text, link)] = world.alerts.news
    assert (kind, title) == ("check_failed", "Check adds_up of derived failed")
    assert text == f"3 problems. Severity ERROR, run {run.run_id}."
    assert link == "http://ui/assets/derived?view=checks&checkDetail=adds_up"


def test_a_check_that_only_warns_is_told_as_a_warning(world):
    run = world.run(bad="WARN")
    world.tick()
    [(kind, title, text, _)] = world.alerts.news
    assert (kind, title) == ("check_warned", "Check adds_up of derived warns")
    assert text == f"3 problems. Severity WARN, run {run.run_id}."


def test_a_warning_of_an_old_day_does_not_silence_that_of_another(world):
    world.run(bad="WARN", end="2026-01-06")
    assert world.tick().skip_message.startswith("0 failures, 1 warning, ")
    world.run(bad="WARN", end="2026-01-06")
    world.run(bad="WARN", end="2026-01-07")
    world.tick()
    assert [kind for kind, *_ in world.alerts.news] == ["check_warned"] * 2


def test_a_failed_run_is_told_with_step_days_and_kind_of_error_but_not_its_message(world):
    run = world.run(broken=True)
    world.tick()
    [(kind, title, text, link)] = world.alerts.news
    assert (kind, title) == ("run_failed", "Run of everything failed for 2026-01-05 to 2026-01-06")
    assert text.startswith("Step source failed with DagsterExecutionStepExecutionError from ValueError.")
    assert SECRET_ROW not in text
    assert link == f"http://ui/runs/{run.run_id}"


def test_success_is_not_told(world):
    world.run()
    world.tick()
    assert world.alerts.news == []


def test_what_was_told_is_not_told_again_and_something_else_is(world):
    world.run(broken=True)
    world.tick()
    world.tick()
    world.run(broken=True)  # the same days and step
    world.tick()
    assert len(world.alerts.news) == 1
    world.run(broken=True, day="2026-01-04")
    world.tick()
    assert len(world.alerts.news) == 2


def test_a_check_that_failed_is_told_while_its_run_goes_on(world):
    run = world.instance.create_run_for_job(
        world.defs.resolve_job_def("everything"), status=dg.DagsterRunStatus.STARTED
    )
    world.tick()
    assert world.alerts.news == []
    evaluation = dg.AssetCheckEvaluation(asset_key=derived.key, check_name="adds_up", passed=False, metadata={})
    report(world.instance, run, evaluation)
    world.tick()
    assert [kind for kind, *_ in world.alerts.news] == ["check_failed"]


def report(instance, run, evaluation):
    event = dg.DagsterEvent(
        event_type_value=dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
        job_name=run.job_name,
        event_specific_data=evaluation,
    )
    instance.report_dagster_event(event, run.run_id)


def test_the_cursor_stays_when_an_alert_could_not_be_handed_over(world, monkeypatch):
    world.run(broken=True)
    before = world.cursor

    def full(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Alerts, "raise_alert", full)
        with pytest.raises(OSError, match="disk full"):
            world.tick()
    assert world.cursor == before
    world.tick()
    assert len(world.alerts.news) == 1


def test_what_failed_before_the_sensor_was_first_on_is_history(world):
    world.cursor = None
    world.run(broken=True)
    world.now += 3600
    world.tick()
    world.tick()
    assert world.alerts.news == []


def test_an_asset_that_missed_an_update_is_stale_and_an_observed_source_is_not(world):
    world.stale_hours = 12
    world.run()
    world.run(selection=[source.key])
    world.now += 11 * 3600
    world.tick()
    assert world.alerts.news == []
    world.now += 2 * 3600
    world.tick()
    assert {title: link for _, title, _, link in world.alerts.news} == {
        "source is overdue": "http://ui/assets/source",
        "derived is overdue": "http://ui/assets/derived",
    }


def test_a_source_that_was_read_and_had_nothing_new_is_not_stale(world):
    world.stale_hours = 12
    world.run()
    world.instance.report_runless_asset_event(dg.AssetObservation(source.key))
    [seen] = world.instance.fetch_observations(source.key, limit=1).records
    [read] = world.instance.fetch_materializations(source.key, limit=1).records
    world.now = (seen.timestamp + read.timestamp) / 2 + 12 * 3600  # too long after the one, not after the other
    world.tick()
    assert world.alerts.news == []
