"""The settings of the platform: every environment variable, its default, its check, and values derived from several.

Only the package ``settings`` reads or sets environment variables. This module opens no connections.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource, NoDecode, SettingsConfigDict

from analytics_platform.errors import UserError
from analytics_platform.insights.taxonomies.pack_files import DEMO, GENERAL
from analytics_platform.settings import validators as checks
from analytics_platform.settings.cleaning_settings import CleaningSettings
from analytics_platform.settings.computing_settings import ComputingSettings
from analytics_platform.settings.llm_settings import LlmSettings
from analytics_platform.settings.nocodb_settings import NocoSettings
from analytics_platform.settings.operations_settings import OperationsSettings

SAMPLE_START = dt.date(2006, 5, 15)
SAMPLE_END = dt.date(2006, 7, 2)
DEFAULT_START = dt.date(2020, 1, 1)
PROJECT_ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = ".env"
READ_BY_DBT = ["ANALYTICS_DBT_LAKE", "ANALYTICS_DBT_WAREHOUSE"]
"""Variables that the dbt project reads when a person runs dbt by hand."""


class SettingsError(UserError, ValueError):
    """The environment is wrong; each fault names a variable and what to do."""


def today() -> dt.date:
    """Return today's date in UTC by this machine's clock."""
    return dt.datetime.now(dt.UTC).date()


class Settings(CleaningSettings, ComputingSettings, LlmSettings, NocoSettings, OperationsSettings):
    """The platform's settings, read from the environment and from ``.env`` in the working directory.

    The environment wins over ``.env``; an empty value counts as unset; paths are made absolute, so that
    a process started elsewhere finds the same files.
    """

    model_config = SettingsConfigDict(
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # pydantic would print the whole environment it read, secrets included
        str_strip_whitespace=True,
    )

    home: Annotated[Path, AfterValidator(checks.home_folder)] = Field(
        default=Path(".analytics"),
        validation_alias="ANALYTICS_HOME",
        description="The home: the folder below which the embedded default writes all its files.",
    )
    source: Literal["sample", "files", "nocodb"] = Field(
        default="sample", validation_alias="ANALYTICS_SOURCE", description="Source of conversations."
    )
    source_path: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_SOURCE_PATH",
        description="For files: paths, folders, zips or globs, separated by commas; docs/sources.md lists the formats.",
    )
    source_format: Annotated[str, AfterValidator(checks.source_format)] = Field(
        default="auto",
        validation_alias="ANALYTICS_SOURCE_FORMAT",
        description="For files: the shape of the export; auto recognises it. docs/sources.md lists the names.",
    )
    source_encoding: Annotated[str, AfterValidator(checks.source_encoding)] = Field(
        default="auto",
        validation_alias="ANALYTICS_SOURCE_ENCODING",
        description="For files: the encoding of text files, such as cp1250 or shift_jis; auto recognises it.",
    )
    source_mapping: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_SOURCE_MAPPING",
        description="For files: YAML file that maps the source's fields to the input columns.",
    )
    prices: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_PRICES",
        description="YAML file of prices per million tokens, for messages that state tokens and no cost; added to the "
        "shipped ones.",
    )
    start_date: Annotated[dt.date | None, BeforeValidator(checks.day)] = Field(
        default=None,
        validation_alias="ANALYTICS_START_DATE",
        description="First daily partition; by default 2020-01-01, or the sample's first day for the sample.",
    )
    end_date: Annotated[dt.date | None, BeforeValidator(checks.day)] = Field(
        default=None,
        validation_alias="ANALYTICS_END_DATE",
        description="Last daily partition, inclusive; by default today, or the sample's last day for the sample.",
    )
    lake_uri: Annotated[str | None, AfterValidator(checks.lake)] = Field(
        default=None,
        validation_alias="ANALYTICS_LAKE_URI",
        description="Folder or s3://bucket/prefix of the Parquet lake; by default lake/ below the home.",
    )
    mongo_uri: Annotated[SecretStr | None, AfterValidator(checks.mongo_uri)] = Field(
        default=None,
        validation_alias="ANALYTICS_MONGO_URI",
        description="URI of a MongoDB server, or off for a platform without MongoDB; unset, the platform starts the "
        "embedded server.",
    )
    mongo_database: Annotated[str, AfterValidator(checks.mongo_database)] = Field(
        default="analytics", validation_alias="ANALYTICS_MONGO_DATABASE", description="Name of the MongoDB database."
    )
    mongo_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        validation_alias="ANALYTICS_MONGO_DAYS",
        description="Days of conversations that MongoDB keeps, counted back from the last daily partition; a run "
        "removes earlier ones, and reports stay; unset, MongoDB keeps all days.",
    )
    engine: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        validation_alias="ANALYTICS_ENGINE",
        description="Device of the insight engine; auto uses the CPU for the static tier.",
    )
    tier: Literal["static", "cascade", "transformer", "llm"] = Field(
        default="static",
        validation_alias="ANALYTICS_TIER",
        description="Who labels: static models; also a transformer for uncertain texts, or for all texts; the LLM.",
    )
    taxonomy: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(checks.taxonomy_parts)] = Field(
        default=None,
        validation_alias="ANALYTICS_TAXONOMY",
        description="Packs of labels and YAML files of your own, separated by commas, a later one extends the earlier; "
        "by default general, or demo for the sample. docs/taxonomies.md lists the packs.",
    )
    training: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(checks.label_files)] = Field(
        default=(),
        validation_alias="ANALYTICS_TRAINING",
        description="Labelled files that teach beside the taxonomy, separated by commas: CSV, JSON lines or Parquet "
        "with the columns text or conversation_id, label, and maybe kind.",
    )
    corrections: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(checks.label_files)] = Field(
        default=(),
        validation_alias="ANALYTICS_CORRECTIONS",
        description="Files of corrections, separated by commas, with the columns conversation_id, kind, label, who and "
        "when; a correction holds for its conversation.",
    )
    topics: Annotated[Path | None, AfterValidator(checks.existing_file)] = Field(
        default=None,
        validation_alias="ANALYTICS_TOPICS",
        description="YAML file in which people rename, merge, move, pin and hide discovered topics; docs/topics.md.",
    )
    dbt_project_dir: Path = Field(
        default=PROJECT_ROOT / "dbt_project",
        validation_alias="ANALYTICS_DBT_PROJECT_DIR",
        description="Folder of the dbt project.",
    )
    aws_endpoint_url: Annotated[str | None, AfterValidator(checks.endpoint)] = Field(
        default=None, validation_alias="AWS_ENDPOINT_URL", description="Address of an S3-compatible server; unset, AWS."
    )
    aws_region: str = Field(
        default="us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region of the bucket.",
    )
    aws_access_key_id: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Access key id of S3; unset, the machine's own credentials are used.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_SECRET_ACCESS_KEY",
        description="Secret key that belongs to AWS_ACCESS_KEY_ID.",
    )
    aws_session_token: SecretStr | None = Field(
        default=None, validation_alias="AWS_SESSION_TOKEN", description="Token of temporary S3 credentials."
    )

    @field_validator("dbt_project_dir")
    @classmethod
    def _dbt_project(cls, path: Path) -> Path:
        return path if path == PROJECT_ROOT / "dbt_project" else checks.dbt_project(path)

    @field_validator("source_mapping", "prices")
    @classmethod
    def _existing_file(cls, path: Path | None) -> Path | None:
        return checks.existing_file(path)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.source == "files" and (missing := self.missing_for_files()):
            raise ValueError(f"{', '.join(missing)}: needed when ANALYTICS_SOURCE=files")
        if self.source == "nocodb" and (missing := self.missing_for_nocodb()):
            hint = "; `analytics inspect nocodb` finds the tables" if missing == ["NOCODB_MESSAGES_TABLE"] else ""
            raise ValueError(f"{', '.join(missing)}: needed when ANALYTICS_SOURCE=nocodb{hint}")
        if self.nocodb_corrections_table and not (self.nocodb_url and self.nocodb_token):
            raise ValueError("NOCODB_URL, NOCODB_TOKEN: needed with NOCODB_CORRECTIONS_TABLE")
        if self.executor == "dask" and not self.dask_scheduler:
            raise ValueError("ANALYTICS_DASK_SCHEDULER: needed when ANALYTICS_EXECUTOR=dask")
        if self.tier == "llm" and not self.llm_model:
            raise ValueError("ANALYTICS_LLM_MODEL: needed when ANALYTICS_TIER=llm")
        if self.aws_access_key_id and not self.aws_secret_access_key:
            raise ValueError("AWS_SECRET_ACCESS_KEY: needed with AWS_ACCESS_KEY_ID")
        if self.aws_secret_access_key and not self.aws_access_key_id:
            raise ValueError("AWS_ACCESS_KEY_ID: needed with AWS_SECRET_ACCESS_KEY")
        if self.first_day > self.last_day:
            is_named = self.start_date or self.end_date_fixed
            first = f"ANALYTICS_START_DATE: {self.first_day}" if is_named else f"the first day, {self.first_day},"
            raise ValueError(f"{first} is after the last day, {self.last_day} ({self.last_day_reason})")
        return self

    def missing_for_files(self) -> list[str]:
        """Return the variables that the source ``files`` requires and that are unset."""
        return [] if self.source_path else ["ANALYTICS_SOURCE_PATH"]

    @property
    def engine_tier(self) -> Literal["static", "cascade", "transformer"]:
        """The tier of the engine that labels messages, and conversations without an answer of the LLM."""
        return "static" if self.tier == "llm" else self.tier

    @property
    def has_mongo(self) -> bool:
        """Whether the platform has a MongoDB: that of ``mongo_uri``, or the embedded one."""
        return self.mongo_uri is None or self.mongo_uri.get_secret_value() != checks.MONGO_OFF

    @property
    def taxonomy_parts(self) -> tuple[str, ...]:
        """Packs and files of the taxonomy, in the order in which they are combined."""
        return self.taxonomy or ((DEMO,) if self.source == "sample" else (GENERAL,))

    @property
    def first_day(self) -> dt.date:
        """First daily partition."""
        return self.start_date or (SAMPLE_START if self.source == "sample" else DEFAULT_START)

    @property
    def end_date_fixed(self) -> dt.date | None:
        """Last daily partition, inclusive; None if the last day is today and moves on."""
        fixed = self.end_date or (SAMPLE_END if self.source == "sample" else None)
        return fixed if fixed and fixed < today() else None

    @property
    def last_day(self) -> dt.date:
        """Last daily partition at present, inclusive."""
        return self.end_date_fixed or today()

    @property
    def last_day_reason(self) -> str:
        """Why ``last_day`` is the last day, for messages: a clock that is wrong must not be taken for a setting."""
        if self.end_date_fixed:
            return "ANALYTICS_END_DATE" if self.end_date else "the sample's last day"
        later = f", and ANALYTICS_END_DATE is {self.end_date}" if self.end_date and self.end_date > today() else ""
        return f"today is {today()} by this machine's clock{later}"

    @property
    def lake(self) -> str:
        """URI or path of the lake."""
        return self.lake_uri or str(self.home / "lake")

    @property
    def is_lake_shared(self) -> bool:
        """Whether other machines may work on the lake: it is on S3, or in a folder outside the home."""
        return "://" in self.lake or not Path(self.lake).is_relative_to(self.home)

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file of the warehouse."""
        return self.home / "warehouse.duckdb"

    @property
    def mongo_dir(self) -> Path:
        """Data folder of the embedded MongoDB server."""
        return self.home / "mongo"

    @property
    def entered_corrections(self) -> Path:
        """The file of the corrections that ``analytics correct`` enters."""
        return self.home / "corrections.jsonl"

    @property
    def classifiers_dir(self) -> Path:
        """Folder of fitted classifiers."""
        return self.home / "classifiers"

    @property
    def reports_dir(self) -> Path:
        """Folder of the HTML reports."""
        return self.home / "reports"

    @property
    def staging_dir(self) -> Path:
        """Folder of source files split by day; safe to delete."""
        return self.home / "staging"

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance."""
        return self.home / "dagster"


class InspectSettings(Settings):
    """The settings of ``analytics inspect``, which finds the source: no table of NocoDB and no path is needed."""

    def missing_for_nocodb(self) -> list[str]:
        """Return nothing: the command says what it needs."""
        return []

    def missing_for_files(self) -> list[str]:
        """Return nothing: the command says what it needs."""
        return []


def load_settings(kind: type[Settings] = Settings) -> Settings:
    """Read the settings from the environment and ``.env``.

    Args:
        kind: ``InspectSettings`` for settings that may name no source.

    Raises:
        SettingsError: With one line per wrong or unknown variable. A line never shows the value of a secret.
    """
    try:
        problems = checks.unknown_variables(_given_names(), _known_names())
        settings = kind()
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE}: must be a text file in UTF-8") from None
    except ValidationError as error:
        raise SettingsError(*map(checks.presentable, [*problems, *map(_line, error.errors())])) from None
    if problems:
        raise SettingsError(*map(checks.presentable, problems))
    return settings


def _given_names() -> set[str]:
    """Return the names of all variables of the environment and of ``.env`` that have a value, in capitals."""
    sources = EnvSettingsSource(Settings), DotEnvSettingsSource(Settings)
    return {name.upper() for source in sources for name in source.env_vars}


def _known_names() -> list[str]:
    names = list(READ_BY_DBT)
    for info in Settings.model_fields.values():
        alias = info.validation_alias
        names += [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
    return names


def dagster_home() -> Path:
    """Return the folder of ``DAGSTER_HOME``, or the folder of the settings if the variable is unset.

    Raises:
        SettingsError: If the folder cannot hold Dagster's event history.
    """
    named = os.environ.get("DAGSTER_HOME")
    if not named:
        return load_settings().dagster_home
    try:
        return checks.home_folder(Path(named))
    except ValueError as error:
        raise SettingsError(checks.presentable(f"DAGSTER_HOME: {error}")) from None


def history_address() -> str | None:
    """Return the address of the PostgreSQL database of the event history, or None if the home holds the history.

    Raises:
        SettingsError: If the settings are wrong.
    """
    address = load_settings(InspectSettings).history_url
    return address.get_secret_value() if address else None


def use_dagster_home(folder: Path) -> None:
    """Set Dagster's variables for this process and its children: the folder of the instance, and batches of events."""
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")  # see storage.event_history.sqlite_history


def environment_name(field: str) -> str:
    """Return the variable that fills a field; the first one if there are several."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


def _line(problem: ErrorDetails) -> str:
    """Describe a validation error in one line. The message of a rule across variables already names its variables."""
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    field, value = str(problem["loc"][0]), str(problem["input"])
    name = environment_name(field) if field in Settings.model_fields else field  # a default goes by its field's name
    return f"{name}: {message}" if _may_be_secret(name, value) else f"{name}: {message}, not {value!r}"


def _may_be_secret(name: str, value: str) -> bool:
    """Tell whether a value must not be shown: it belongs to a secret field, or it is a URL with a user."""
    secret = {
        environment_name(field) for field, info in Settings.model_fields.items() if info.annotation == SecretStr | None
    }
    return name in secret or "@" in value
