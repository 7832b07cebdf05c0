"""The code location: what is in the graph, and that loading it touches nothing."""

from __future__ import annotations

import dagster as dg
import pytest

from analytics_platform import definitions as code_location
from analytics_platform.cli import graph_commands
from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.assets import insight_assets
from analytics_platform.defs.assets.everyday import TABLES, recipes_of, tables_of
from analytics_platform.defs.consistency import store_agreement
from analytics_platform.defs.consistency.repairer import Repair
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.taxonomies.taxonomy import DEFAULT_PATH
from analytics_platform.settings.loader import load_settings

LEARNING = {"label_feedback", "gold_labels", "llm_lessons", "candidate_model", "model_evaluation", "promoted_model"}
"""Not of the everyday job."""
GROUPS = {
    "learning": LEARNING,
    "raw": {"source_rows", "raw_conversations", "raw_messages", "quarantined_rows", "unplaced_rows"},
    "clean": {"conversations", "messages"},
    "insights": {
        "message_embeddings",
        "conversation_embeddings",
        "message_insights",
        "conversation_insights",
        "processing_errors",
        "llm_insights",
        "llm_calls",
        "llm_failures",
        "message_translations",
        "translation_failures",
        "translation_languages",
    },
    "topics": {"topic_epochs", "topic_names", "discovered_topics", "topic_genealogy", "conversation_topics"},
    "analytics": {"daily_metrics", "user_daily", "agent_daily", "model_daily", "user_analytics"},
    "operational": {
        "mongo/conversation_analytics",
        "mongo/conversation_messages",
        "mongo/conversation_categories",
        "mongo/conversation_translations",
        "mongo/user_analytics",
    },
    "marts": {
        "dim_user",
        "dim_agent",
        "dim_model",
        "dim_topic",
        "dim_date",
        "fct_conversation",
        "fct_message",
        "agg_daily",
    },
    "reports": {"daily_report", "daily_report_page"},
}

OBSERVED = "source_rows"
"""Where the lineage begins; the platform does not store it."""


@pytest.fixture
def definitions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path / "home"))
    return build_definitions(Platform(load_settings()))


@pytest.fixture
def specs(definitions):
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def test_the_groups_hold_these_assets(specs):
    found: dict[str, set[str]] = {}
    for name, spec in specs.items():
        found.setdefault(spec.group_name, set()).add(name)
    assert found == GROUPS


def test_every_asset_tells_its_story(specs):
    for name, spec in specs.items():
        assert spec.description, name
        assert spec.owners == ["team:analytics"], name
        assert spec.kinds, name
        if name == OBSERVED:
            continue
        assert spec.code_version, name
        assert spec.metadata["dagster/column_schema"].columns, name


def test_descriptions_keep_the_capitals_of_names(specs):
    """The graph said "One row per day and llm"."""
    for asset in TABLES:
        assert asset.recipe.table.grain[1:] in specs[asset.key.to_user_string()].description


def test_loading_writes_nothing(definitions, tmp_path):
    dg.Definitions.validate_loadable(definitions)
    assert list(tmp_path.iterdir()) == []


def test_every_stored_table_has_a_blocking_check(definitions):
    graph = definitions.resolve_asset_graph()
    for asset in TABLES:
        blocking = [
            key.name for key in graph.asset_check_keys if key.asset_key == asset.key and graph.get(key).blocking
        ]
        assert "fits_its_declaration" in blocking, asset.key


COPIES = {"mongo/conversation_analytics", "mongo/conversation_messages", "mongo/conversation_categories",
          "fct_conversation", "fct_message"}  # fmt: skip
"""The assets that hold the conversations outside the lake."""


def test_whatever_sums_conversations_up_waits_until_every_copy_agrees_with_the_lake(definitions):
    graph = definitions.resolve_asset_graph()
    agreeing = {key.asset_key.to_user_string() for key in graph.asset_check_keys if key.name == "agrees_with_the_lake"}
    assert agreeing == COPIES | {"mongo/conversation_translations", "mongo/user_analytics"}
    assert all(graph.get(key).blocking for key in graph.asset_check_keys if key.name == "agrees_with_the_lake")
    for waiting in ("daily_report", "mongo/user_analytics"):
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(waiting.split("/"))).parent_keys}
        assert parents >= COPIES


def test_the_lineage_runs_from_the_source_to_the_report(definitions):
    upstream = dg.AssetSelection.from_string("*daily_report").resolve(definitions.resolve_asset_graph())
    assert {key.to_user_string() for key in upstream} >= {
        "raw_messages",
        "messages",
        "message_embeddings",
        "conversation_insights",
        "daily_metrics",
    }
    graph = definitions.resolve_asset_graph()
    assert dg.AssetKey(OBSERVED) in graph.get(dg.AssetKey("raw_messages")).parent_keys


def test_the_job_covers_the_whole_graph(definitions, specs):
    job = definitions.resolve_job_def(EVERYTHING)
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(specs) - {OBSERVED} - LEARNING


def test_no_step_waits_for_a_pool_whose_slot_a_killed_run_would_keep(definitions):
    assert all(node.definition.pool is None for node in definitions.resolve_job_def(EVERYTHING).nodes)


def cadence(cron: str) -> str:
    """Return how often a schedule starts its job, as job names say it."""
    _minute, hour, _day, _month, weekday = cron.split()
    return "weekly" if weekday != "*" else "hourly" if hour == "*" else "nightly"


def test_a_jobs_name_begins_with_its_cadence(definitions):
    """Names such as `everything` and `learning` did not tell in the UI what runs when."""
    scheduled = {one.job_name: cadence(one.cron_schedule) for one in definitions.schedules}
    scheduled[EVERYTHING] = "daily"  # asked for by sensor and retries, at no time of its own, for partitions of days
    names = [job.name for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    assert len(names) == 7
    assert all(name.startswith(f"{scheduled.get(name, 'on_demand')}_") for name in names), names


def test_alerts_are_looked_for_without_anybody_switching_it_on(definitions):
    [sensor] = [sensor for sensor in definitions.sensors if sensor.name == "alerts"]
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_the_job_redrive_covers_the_graph_and_tells_its_runs_to_try_failures_again(definitions, specs):
    job = definitions.resolve_job_def("on_demand_redrive")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set(specs) - {OBSERVED} - LEARNING
    assert job.tags["analytics/redrive"] == "true"
    assert job.partitions_def is not None


def test_nothing_is_computed_when_a_conversation_was_lost_on_the_way(definitions):
    graph = definitions.resolve_asset_graph()
    [check] = [key for key in graph.asset_check_keys if key.name == "conversations_add_up"]
    assert graph.get(check).blocking
    assert check.asset_key in graph.get(dg.AssetKey("daily_metrics")).parent_keys


def test_the_job_learning_holds_the_group_that_learns_and_promotes_behind_a_blocking_check(definitions):
    job = definitions.resolve_job_def("weekly_learning")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == LEARNING
    [check] = [
        spec
        for checks in definitions.asset_checks
        for spec in checks.check_specs
        if spec.name == "no_worse_than_promoted"
    ]
    assert (check.blocking, check.asset_key.to_user_string()) == (True, "model_evaluation")
    [schedule] = [schedule for schedule in definitions.schedules if schedule.name == "learning_weekly"]
    assert (schedule.cron_schedule, schedule.default_status) == ("0 5 * * 1", dg.DefaultScheduleStatus.STOPPED)


def code_versions(platform: Platform) -> dict[str, str | None]:
    graph = build_definitions(platform).resolve_asset_graph()
    return {key.to_user_string(): graph.get(key).code_version for key in graph.materializable_asset_keys}


def test_another_taxonomy_or_tier_shows_in_the_code_versions_of_what_it_labels(definitions, tmp_path, monkeypatch):
    shipped = code_versions(Platform(load_settings()))
    taxonomy = tmp_path / "mine.yaml"
    taxonomy.write_bytes(DEFAULT_PATH.read_bytes())
    monkeypatch.setenv("ANALYTICS_TAXONOMY", str(taxonomy))
    mine = code_versions(Platform(load_settings()))
    taxonomy.write_bytes(DEFAULT_PATH.read_bytes() + b"\n# another word\n")
    changed = code_versions(Platform(load_settings()))
    labels = {"message_embeddings", "message_insights", "conversation_insights", "llm_insights"}
    for one, other in ((shipped, mine), (mine, changed)):
        differ = {name for name in one if one[name] != other[name]}
        assert labels <= differ
        assert differ <= GROUPS["insights"]
    monkeypatch.delenv("ANALYTICS_TAXONOMY")
    monkeypatch.setenv("ANALYTICS_TIER", "cascade")
    cascade = code_versions(Platform(load_settings()))
    assert cascade["conversation_insights"] not in {shipped["conversation_insights"], mine["conversation_insights"]}


@pytest.mark.parametrize("tier", ["static", "llm"])
def test_each_table_comes_after_those_it_is_computed_from(tmp_path, monkeypatch, tier):
    """A repair goes through the tables in this order: a damaged input has to be mended before what reads it."""
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    monkeypatch.setenv("ANALYTICS_TIER", tier)
    if tier == "llm":
        monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4.1-mini")
    seen: set[tuple[str, str]] = set()
    for asset in tables_of(load_settings()):
        assert {(source.store, source.table) for source in asset.recipe.inputs.values()} <= seen, asset.name
        seen.add((asset.recipe.store, asset.recipe.table.name))


def test_whatever_computes_or_compares_takes_the_recipes_of_the_tier(tmp_path, monkeypatch):
    """A repair and the checks of agreement took the static engine's recipe, and undid the labels of the LLM."""
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    monkeypatch.setenv("ANALYTICS_TIER", "llm")
    monkeypatch.setenv("ANALYTICS_LLM_MODEL", "gpt-4.1-mini")
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it
    taken = {}

    def watch(place, name, position, instead=None):
        called = instead or getattr(place, name)

        def watched(*arguments, **options):
            taken[name] = arguments[position]
            return called(*arguments, **options)

        monkeypatch.setattr(place, name, watched)

    for name in ("agreement_checks", "agreement_schedule"):
        watch(store_agreement, name, 0)
    watch(code_location, "build_repair_job", 1)
    for name in ("find_disagreements", "run_repair"):
        monkeypatch.setattr(
            graph_commands, name, lambda _platform, recipes, *_, name=name: taken.update({name: recipes}) or Repair()
        )
    settings = load_settings()
    build_definitions(Platform(settings))
    for dry_run in (True, False):
        graph_commands.repair_stores(settings, None, None, dry_run=dry_run)
    [(name, by_llm)] = insight_assets.BY_LLM.items()
    users = {"agreement_checks", "agreement_schedule", "build_repair_job", "find_disagreements", "run_repair"}
    assert taken.keys() == users
    assert all(recipes[name] is by_llm.recipe for recipes in taken.values())
    assert recipes_of(settings)[name] is by_llm.recipe


def test_without_mongodb_the_collections_are_shown_as_off_and_nothing_reads_or_checks_them(tmp_path, monkeypatch):
    monkeypatch.setenv("ANALYTICS_HOME", str(tmp_path))
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "off")
    settings = load_settings()
    definitions = build_definitions(Platform(settings))
    graph = definitions.resolve_asset_graph()
    collections = [key for key in graph.get_all_asset_keys() if key.path[0] == "mongo"]
    assert len(collections) == 5
    for key in collections:
        assert not graph.get(key).is_executable
        assert graph.get(key).description.startswith("Off: ")
    recipes = recipes_of(settings).values()
    assert {recipe.store for recipe in recipes} == {"lake", "pages"}
    assert all(given.store in ("lake", "pages") for recipe in recipes for given in recipe.inputs.values())
    assert not {key.asset_key for key in graph.asset_check_keys} & {*collections}
    with pytest.raises(UserError, match="ANALYTICS_MONGO_URI=off"):
        _ = Platform(settings).mongo
