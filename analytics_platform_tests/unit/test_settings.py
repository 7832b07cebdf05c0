"""The environment is read in one place; what is wrong is said in one line; a secret is never said."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import pytest

from analytics_platform.settings.loader import (
    ENV_FILE,
    Settings,
    SettingsError,
    dagster_home,
    environment_name,
    load_settings,
    use_dagster_home,
)

PASSWORD = "hunter2-swordfish"


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder, whose ``.env`` is read; the shared fixture has unset every variable.

    A command that a test of this process ran before has named its home in ``DAGSTER_HOME``.
    """
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setitem(Settings.model_config, "env_file", ENV_FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return the message with which these variables are refused."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_without_any_variable_the_sample_is_read_into_the_working_directory(bare_environment: Path) -> None:
    settings = load_settings()
    assert settings.source == "sample"
    assert settings.home == bare_environment / ".analytics"
    assert settings.lake == str(bare_environment / ".analytics" / "lake")
    assert settings.mongo_uri is None
    assert settings.first_day < settings.last_day


def test_everything_embedded_lies_below_the_home(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    monkeypatch.setenv("ANALYTICS_HOME", "elsewhere")
    settings = load_settings()
    below = [settings.warehouse_path, settings.mongo_dir, settings.reports_dir, settings.staging_dir]
    assert {path.parent for path in (*below, settings.dagster_home)} == {bare_environment / "elsewhere"}


def test_the_env_file_is_read_and_the_environment_wins_over_it(
    monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    (bare_environment / ".env").write_text("ANALYTICS_WORKERS=3\nANALYTICS_MONGO_DATABASE=from_file\nUNRELATED=1\n")
    monkeypatch.setenv("ANALYTICS_MONGO_DATABASE", "from_environment")
    settings = load_settings()
    assert (settings.workers, settings.mongo_database) == (3, "from_environment")


def test_an_env_file_that_is_not_text_is_named(bare_environment: Path) -> None:
    (bare_environment / ".env").write_bytes(b"ANALYTICS_HOME=\xff\xfe")
    with pytest.raises(SettingsError, match=r"^\.env: must be a text file in UTF-8$"):
        load_settings()


@pytest.mark.parametrize("field", Settings.model_fields)
def test_an_empty_value_counts_as_unset(field: str, monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    default = load_settings()
    monkeypatch.setenv(environment_name(field), "")
    (bare_environment / ".env").write_text(f"{environment_name(field)}=\n")
    assert load_settings() == default


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ANALYTICS_SOURCE", "kafka", "'sample', 'files' or 'nocodb', not 'kafka'"),
        ("ANALYTICS_SOURCE", "files", "ANALYTICS_SOURCE_PATH: needed when ANALYTICS_SOURCE=files"),
        ("ANALYTICS_TIER", "llm", "ANALYTICS_LLM_MODEL: needed when ANALYTICS_TIER=llm"),
        ("ANALYTICS_SOURCE_MAPPING", "absent.yaml", "must be an existing file"),
        ("ANALYTICS_START_DATE", "2006-02-30", "valid date"),
        ("ANALYTICS_START_DATE", "1147651200", "must be a day, YYYY-MM-DD"),
        ("ANALYTICS_START_DATE", "2030-01-01", "2030-01-01 is after the last day"),
        ("ANALYTICS_END_DATE", "1999-12-31", "after the last day, 1999-12-31 (ANALYTICS_END_DATE)"),
        ("ANALYTICS_LAKE_URI", "gs://bucket/lake", "must be a folder or s3://bucket/prefix"),
        ("ANALYTICS_LAKE_URI", "s3://", "must be a folder or s3://bucket/prefix"),
        ("ANALYTICS_MONGO_URI", "localhost:27017", "must be off, or begin with mongodb://"),
        ("ANALYTICS_MONGO_DATABASE", "a.b", "must be 1 to 63 letters"),
        ("ANALYTICS_MONGO_DAYS", "0", "greater than or equal to 1, not '0'"),
        ("ANALYTICS_MONGO_DAYS", "a month", "valid integer"),
        ("ANALYTICS_ENGINE", "tpu", "'auto', 'cpu' or 'gpu', not 'tpu'"),
        ("ANALYTICS_TAXONOMY", ".", "must be an existing file"),
        ("ANALYTICS_OUTCOMES", "a=failure, b", "entry 2 must be word=success, word=failure or word=neither, not 'a="),
        ("ANALYTICS_OUTCOMES", "A=failure, a=success", "entry 2 must not name 'a' again"),
        ("ANALYTICS_WORKERS", "0", "greater than or equal to 1, not '0'"),
        ("ANALYTICS_WORKERS", "many", "valid integer"),
        ("ANALYTICS_UI_URL", "dagster.example.org", "must be http://host:port or https://host"),
        ("ANALYTICS_ALERT_URLS", "#alerts", "must be addresses such as slack://"),
        ("ANALYTICS_ALERT_REPEAT_HOURS", "-1", "greater than or equal to 0"),
        ("ANALYTICS_STALE_HOURS", "0", "greater than 0"),
        ("ANALYTICS_COMPUTE_LOGS_URI", "/var/log", "must be s3://bucket/prefix"),
        ("AWS_ENDPOINT_URL", "minio:9000", "must be http://host:port"),
        ("AWS_ACCESS_KEY_ID", "key", "AWS_SECRET_ACCESS_KEY: needed with AWS_ACCESS_KEY_ID"),
        ("AWS_SECRET_ACCESS_KEY", "key", "AWS_ACCESS_KEY_ID: needed with AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = error_with(monkeypatch, **{name: value})
    assert len(message.splitlines()) == 1
    assert name in message
    assert says in message


def test_packs_and_files_of_the_taxonomy_keep_their_order(
    monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    own = bare_environment / "my.yaml"
    own.touch()
    with_comma = bare_environment / "a, b.yaml"
    with_comma.touch()
    monkeypatch.setenv("ANALYTICS_TAXONOMY", f"saas, {own},general,")
    assert load_settings().taxonomy_parts == ("saas", str(own), "general")
    monkeypatch.setenv("ANALYTICS_TAXONOMY", str(with_comma))
    assert load_settings().taxonomy_parts == (str(with_comma),)
    assert "absent: must be an existing file or one of the packs banking, " in error_with(
        monkeypatch, ANALYTICS_TAXONOMY="general,absent"
    )


def test_only_the_sample_has_the_labels_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's chats were called questions about Ubuntu's installation and flights."""
    assert load_settings().taxonomy_parts == ("demo",)
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", "chats.csv")
    assert load_settings().taxonomy_parts == ("general",)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ANALYTICS_SOURCE_PAHT", "did you mean ANALYTICS_SOURCE_PATH?"),
        ("ANALYTICS_WORKER", "did you mean ANALYTICS_WORKERS?"),
        ("analytics_hone", "did you mean ANALYTICS_HOME?"),
        ("ANALYTICS_XYZZY_PLUGH", ".env.example lists all"),
        ("NOCODB_TOKKEN", ""),
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_a_variable_that_nothing_reads_is_refused_with_the_nearest_one(
    name: str, hint: str, place: str, monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    if place == "file":
        (bare_environment / ".env").write_text(f"{name}={PASSWORD}\n")
    message = error_with(monkeypatch, **({name: PASSWORD} if place == "environment" else {}))
    assert message.startswith(f"{name.upper()}: there is no such setting; {hint}")
    assert len(message.splitlines()) == 1
    assert PASSWORD not in message


def test_unknown_and_wrong_variables_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_ENGIN="cpu", ANALYTICS_WORKERS="many")
    assert [line.partition(":")[0] for line in message.splitlines()] == ["ANALYTICS_ENGIN", "ANALYTICS_WORKERS"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANALYTICS_WORKER", ""),
        ("ANALYTICS_DBT_LAKE", "lake"),
        ("ANALYTICS_SERVICE_HOST", "10.0.0.1"),
        ("ANALYTICS_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("NOCODB_PORT", "tcp://10.0.0.1:8080"),
        ("ANALYTICSX", "1"),
        ("AWS_PROFILE", "me"),
    ],
)
def test_variables_that_are_unset_or_not_ours_to_refuse_are_let_be(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = load_settings()
    monkeypatch.setenv(name, value)
    assert load_settings() == default


def test_each_wrong_variable_has_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_ENGINE="tpu", ANALYTICS_WORKERS="many")
    assert sorted(line.partition(":")[0] for line in message.splitlines()) == ["ANALYTICS_ENGINE", "ANALYTICS_WORKERS"]


def test_a_secret_shows_in_no_form_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_MONGO_URI", f"mongodb://user:{PASSWORD}@host/")
    monkeypatch.setenv("ANALYTICS_ALERT_URLS", f"slack://{PASSWORD}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, PASSWORD)
    settings = load_settings()
    assert settings.mongo_uri is not None
    assert PASSWORD in settings.mongo_uri.get_secret_value()
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert PASSWORD not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"ANALYTICS_MONGO_URI": f"http://user:{PASSWORD}@host"},
        {"ANALYTICS_MONGO_URI": PASSWORD},
        {"ANALYTICS_ALERT_URLS": PASSWORD},
        {"ANALYTICS_COMPUTE_LOGS_URI": f"s3://key:{PASSWORD}@bucket/logs"},
        {"ANALYTICS_LAKE_URI": f"s3://key:{PASSWORD}@bucket/lake"},
        {"AWS_ENDPOINT_URL": f"http://key:{PASSWORD}@host:9000"},
        {"AWS_SECRET_ACCESS_KEY": PASSWORD},
        {"ANALYTICS_MONGO_URI": f"mongodb://user:{PASSWORD}@host/", "ANALYTICS_SOURCE": "files"},
    ],
    ids=lambda wrong: "+".join(wrong),
)
def test_a_secret_shows_in_no_error_nor_in_what_caused_it(
    wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.__suppress_context__
    assert PASSWORD not in str(caught.value) + str(caught.value.__context__)


def test_a_relative_lake_and_a_home_tilde_become_absolute(
    monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    monkeypatch.setenv("ANALYTICS_LAKE_URI", "data/lake")
    monkeypatch.setenv("ANALYTICS_HOME", "~/analytics")
    settings = load_settings()
    assert settings.lake == str(bare_environment / "data" / "lake")
    assert settings.home == Path.home() / "analytics"


def test_an_s3_lake_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_LAKE_URI", "s3://bucket/prefix/")
    assert load_settings().lake == "s3://bucket/prefix"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_read_from_both_usual_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "eu-central-1")
    assert load_settings().aws_region == "eu-central-1"


def test_the_days_default_to_the_source_and_can_be_set(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    monkeypatch.setenv("ANALYTICS_SOURCE", "files")
    monkeypatch.setenv("ANALYTICS_SOURCE_PATH", "chats/*.csv")
    assert load_settings().first_day == dt.date(2020, 1, 1)
    assert load_settings().end_date_fixed is None
    assert load_settings().last_day == dt.datetime.now(dt.UTC).date()
    monkeypatch.setenv("ANALYTICS_START_DATE", "2024-02-29")
    monkeypatch.setenv("ANALYTICS_END_DATE", "2024-02-29")
    assert (load_settings().first_day, load_settings().last_day) == (dt.date(2024, 2, 29), dt.date(2024, 2, 29))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {},
            "the first day, 2006-05-15, is after the last day, 1970-01-02 (today is 1970-01-02 by this machine's",
        ),
        ({"START": "1980-01-01"}, "ANALYTICS_START_DATE: 1980-01-01 is after the last day, 1970-01-02 (today is 1970"),
        ({"END": "2006-06-01"}, "(today is 1970-01-02 by this machine's clock, and ANALYTICS_END_DATE is 2006-06-01)"),
        ({"END": "1969-12-31"}, "is after the last day, 1969-12-31 (ANALYTICS_END_DATE)"),
    ],
)
def test_a_clock_before_the_first_day_is_named_as_the_cause(
    given: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    """A machine without a battery for its clock starts in 1970; the line blamed settings that nobody had set."""
    monkeypatch.setattr("analytics_platform.settings.loader.today", lambda: dt.date(1970, 1, 2))
    for name, value in given.items():
        monkeypatch.setenv(f"ANALYTICS_{name}_DATE", value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    (line,) = refusal.value.faults
    assert says in line
    assert ("ANALYTICS_END_DATE" in line) == ("END" in given)


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a%3fb", "a*b", "a[b]", "a\\b"])
@pytest.mark.parametrize("variable", ["ANALYTICS_HOME", "DAGSTER_HOME"])
def test_a_home_that_dagster_would_take_for_another_is_refused(
    variable: str, name: str, monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    """Dagster made its databases outside the home, ended in a traceback, or ignored the settings in dagster.yaml."""
    monkeypatch.setenv(variable, str(bare_environment / name / "home"))
    with pytest.raises(SettingsError, match=f"{variable}: must be a folder without.*{re.escape(repr(name)[1:-1])}"):
        dagster_home()


def test_a_default_home_is_judged_by_its_whole_path(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    (bare_environment / "what?").mkdir()
    monkeypatch.chdir(bare_environment / "what?")
    with pytest.raises(SettingsError, match=r"ANALYTICS_HOME: must be a folder without"):
        load_settings()


@pytest.mark.parametrize("name", ["a b", "100%", "a%zz", "a#b", "ü", "a]{b}'\"&$HOME"])
def test_other_odd_homes_are_taken(name: str, monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    monkeypatch.setenv("ANALYTICS_HOME", str(bare_environment / name))
    assert load_settings().home == bare_environment / name


@pytest.mark.parametrize(
    "variable",
    [
        "ANALYTICS_HOME",
        "ANALYTICS_TAXONOMY",
        "ANALYTICS_SOURCE_MAPPING",
        "ANALYTICS_LLM_PRICES",
        "ANALYTICS_LLM_TOKENIZER",
        "ANALYTICS_DBT_PROJECT_DIR",
    ],
)
@pytest.mark.parametrize("value", ["a" * 100_000, "~nobody-of-this-name/x", "/dev/null/x"])
def test_an_odd_path_is_refused_by_the_name_of_its_variable(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long name ended in a traceback, a home below a file in "[Errno 20]", and a line had 100,000 characters."""
    message = error_with(monkeypatch, **{variable: value})
    assert message.startswith(f"{variable}: ")
    assert len(message) < 1_000
    assert len(message.splitlines()) == 1


def test_a_lake_in_the_folder_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_LAKE_URI="~nobody-of-this-name/lake")
    assert message.startswith(
        "ANALYTICS_LAKE_URI: begins with ~ and the name of a user who does not exist on this machine"
    )


def test_a_folder_without_a_dbt_project_is_refused(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    """A run ended in "No such file or directory: '/nope/target'", and the doctor found nothing wrong."""
    message = error_with(monkeypatch, ANALYTICS_DBT_PROJECT_DIR=str(bare_environment))
    assert message.startswith("ANALYTICS_DBT_PROJECT_DIR: must be the folder of a dbt project")


@pytest.mark.parametrize("variable", ["ANALYTICS_PII_KINDS", "ANALYTICS_REDACT_COLUMNS", "ANALYTICS_OUTCOMES"])
def test_a_list_that_is_wrong_shows_no_password_and_no_control_character(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lists quote what they do not know, whatever it is."""
    message = error_with(monkeypatch, **{variable: f"\x1b[31m\u202ehttp://u:{PASSWORD}@host" + "a" * 100_000})
    assert PASSWORD not in message
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert len(message) < 1_000


def test_the_variable_called_home_is_not_the_platforms_home(
    monkeypatch: pytest.MonkeyPatch, bare_environment: Path
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    assert load_settings().home == bare_environment / ".analytics"


def test_dagster_is_told_of_its_home(monkeypatch: pytest.MonkeyPatch, bare_environment: Path) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "/nowhere")  # put back after the test
    use_dagster_home(load_settings().dagster_home)
    assert os.environ["DAGSTER_HOME"] == str(bare_environment / ".analytics" / "dagster")


def test_a_mongo_uri_may_say_where_in_aws_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "aws-secretsmanager://analytics#mongo")
    uri = load_settings().mongo_uri
    assert uri is not None
    assert uri.get_secret_value() == "aws-secretsmanager://analytics#mongo"


@pytest.mark.parametrize(
    ("kinds", "some", "others"),
    [("structured", "EMAIL", "NAME"), ("email, Name", "NAME", "CARD"), ("all", "ADDRESS", ""), ("none", "", "EMAIL")],
)
def test_kinds_of_personal_data_are_named_alone_or_in_groups(
    monkeypatch: pytest.MonkeyPatch, kinds: str, some: str, others: str
) -> None:
    monkeypatch.setenv("ANALYTICS_PII_KINDS", kinds)
    found = load_settings().pii_kind_set
    assert not some or some in found
    assert others not in found


def test_an_unknown_kind_of_personal_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_PII_KINDS="email,shoesize")
    assert message.startswith("ANALYTICS_PII_KINDS: must be structured, all, none or of SECRET")
    assert "SHOESIZE" in message


def test_a_short_key_of_spans_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_PII_SPANS_KEY="hunter2" * 4)
    assert message == "ANALYTICS_PII_SPANS_KEY: must be at least 32 bytes"


@pytest.mark.parametrize("key", ["k" * 32, "aws-ssm://spans"])
def test_a_long_key_of_spans_and_one_kept_elsewhere_are_taken(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    assert load_settings().pii_spans_key is None
    monkeypatch.setenv("ANALYTICS_PII_SPANS_KEY", key)
    settings = load_settings()
    assert settings.pii_spans_key is not None
    assert settings.pii_spans_key.get_secret_value() == key
    assert key not in repr(settings)


def test_a_short_pseudonym_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    message = error_with(monkeypatch, ANALYTICS_PSEUDONYM_KEY="hunter2")
    assert "ANALYTICS_PSEUDONYM_KEY" in message
    assert "hunter2" not in message
