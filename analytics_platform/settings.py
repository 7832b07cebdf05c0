"""Every environment variable of the platform, typed and validated; the only place that touches the environment.

Belongs here: one field per variable, its default, its check, and what derives from several of them.
Does not belong here: opening connections or touching files.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

SAMPLE_START = dt.date(2006, 5, 15)
SAMPLE_END = dt.date(2006, 7, 2)
DEFAULT_START = dt.date(2020, 1, 1)
PROJECT_ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ".env"

_MONGO_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


class SettingsError(ValueError):
    """The environment is wrong; each line of the message names a variable and what to do."""


class Settings(BaseSettings):
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

    home: Path = Field(
        default=Path(".analytics"),
        validation_alias="ANALYTICS_HOME",
        description="Folder for everything the embedded default writes.",
    )
    source: Literal["sample", "files", "nocodb"] = Field(
        default="sample", validation_alias="ANALYTICS_SOURCE", description="Where conversations come from."
    )
    source_path: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_SOURCE_PATH",
        description="For files: paths or globs of .parquet, .csv, .csv.gz, .jsonl, separated by commas.",
    )
    source_mapping: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_SOURCE_MAPPING",
        description="For files: YAML file that maps the source's fields to the input columns.",
    )
    start_date: dt.date | None = Field(
        default=None,
        validation_alias="ANALYTICS_START_DATE",
        description="First daily partition; 2020-01-01, and the sample's first day for the sample.",
    )
    end_date: dt.date | None = Field(
        default=None,
        validation_alias="ANALYTICS_END_DATE",
        description="Last daily partition, inclusive; today, and the sample's last day for the sample.",
    )
    lake_uri: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_LAKE_URI",
        description="Folder or s3://bucket/prefix of the Parquet lake; lake/ under the home.",
    )
    mongo_uri: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_MONGO_URI",
        description="MongoDB to write to; the embedded server when unset.",
    )
    mongo_database: str = Field(
        default="analytics", validation_alias="ANALYTICS_MONGO_DATABASE", description="MongoDB database."
    )
    engine: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        validation_alias="ANALYTICS_ENGINE",
        description="Where insights are computed; auto takes a GPU when one answers.",
    )
    tier: Literal["static", "cascade", "transformer"] = Field(
        default="static",
        validation_alias="ANALYTICS_TIER",
        description="How insights are computed: static vectors; a transformer where they are in doubt; or everywhere.",
    )
    taxonomy: Path | None = Field(
        default=None,
        validation_alias="ANALYTICS_TAXONOMY",
        description="YAML file of topics and intents; the one shipped when unset.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        validation_alias="ANALYTICS_WORKERS",
        description="Partitions worked on at once; the number of cores when unset.",
    )
    dbt_project_dir: Path = Field(
        default=PROJECT_ROOT / "dbt_project",
        validation_alias="ANALYTICS_DBT_PROJECT_DIR",
        description="Folder of the dbt project.",
    )
    aws_endpoint_url: str | None = Field(
        default=None, validation_alias="AWS_ENDPOINT_URL", description="S3-compatible server; AWS itself when unset."
    )
    aws_region: str = Field(
        default="us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the bucket.",
    )
    aws_access_key_id: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_ACCESS_KEY_ID",
        description="S3 key; when unset, S3 is asked with the machine's own credentials.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY", description="S3 secret, with the key."
    )
    aws_session_token: SecretStr | None = Field(
        default=None, validation_alias="AWS_SESSION_TOKEN", description="Token of temporary S3 credentials."
    )

    @field_validator("home", "dbt_project_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("source_mapping", "taxonomy")
    @classmethod
    def _existing_file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        path = path.expanduser().absolute()
        if not path.is_file():
            raise ValueError("must be an existing file")
        return path

    @field_validator("source")
    @classmethod
    def _available(cls, source: str) -> str:
        if source == "nocodb":
            raise ValueError("must be sample or files in this version; nocodb comes later")
        return source

    @field_validator("lake_uri")
    @classmethod
    def _lake(cls, uri: str | None) -> str | None:
        if not uri:
            return None
        parts = urlsplit(uri)
        if "://" not in uri:
            return str(Path(uri).expanduser().absolute())
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
            raise ValueError(
                "must be a folder or s3://bucket/prefix; credentials belong in AWS_ACCESS_KEY_ID and so on"
            )
        return uri.rstrip("/")

    @field_validator("mongo_uri")
    @classmethod
    def _mongo_scheme(cls, uri: SecretStr | None) -> SecretStr | None:
        if uri is not None and not uri.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("must begin with mongodb:// or mongodb+srv://")
        return uri

    @field_validator("mongo_database")
    @classmethod
    def _mongo_name(cls, name: str) -> str:
        if not _MONGO_NAME.fullmatch(name):
            raise ValueError("must be 1 to 63 letters, digits, _ or -")
        return name

    @field_validator("aws_endpoint_url")
    @classmethod
    def _endpoint(cls, url: str | None) -> str | None:
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
            raise ValueError("must be http://host:port or https://host, without credentials")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.source == "files" and not self.source_path:
            raise ValueError("ANALYTICS_SOURCE_PATH: needed when ANALYTICS_SOURCE=files")
        if self.aws_access_key_id and not self.aws_secret_access_key:
            raise ValueError("AWS_SECRET_ACCESS_KEY: needed with AWS_ACCESS_KEY_ID")
        if self.aws_secret_access_key and not self.aws_access_key_id:
            raise ValueError("AWS_ACCESS_KEY_ID: needed with AWS_SECRET_ACCESS_KEY")
        if self.first_day > self.last_day:
            raise ValueError(
                f"ANALYTICS_START_DATE: {self.first_day} is after the last day, {self.last_day} (ANALYTICS_END_DATE)"
            )
        return self

    @property
    def first_day(self) -> dt.date:
        """First daily partition."""
        return self.start_date or (SAMPLE_START if self.source == "sample" else DEFAULT_START)

    @property
    def end_date_fixed(self) -> dt.date | None:
        """Last daily partition, inclusive; None where every day adds one."""
        return self.end_date or (SAMPLE_END if self.source == "sample" else None)

    @property
    def last_day(self) -> dt.date:
        """Last daily partition as of now, inclusive."""
        return self.end_date_fixed or dt.datetime.now(dt.UTC).date()

    @property
    def lake(self) -> str:
        """URI or path of the lake."""
        return self.lake_uri or str(self.home / "lake")

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that analysts open."""
        return self.home / "warehouse.duckdb"

    @property
    def mongo_dir(self) -> Path:
        """Data folder of the embedded MongoDB server."""
        return self.home / "mongo"

    @property
    def reports_dir(self) -> Path:
        """Folder of the HTML reports."""
        return self.home / "reports"

    @property
    def staging_dir(self) -> Path:
        """Folder of source files split by day, safe to delete."""
        return self.home / "staging"

    @property
    def dagster_home(self) -> Path:
        """Folder of the Dagster instance."""
        return self.home / "dagster"


def load_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: With one line per wrong variable, naming it; never its value when it is a secret.
    """
    try:
        return Settings()
    except UnicodeDecodeError:
        raise SettingsError(f"{ENV_FILE}: must be a text file in UTF-8") from None
    except ValidationError as error:
        raise SettingsError("\n".join(map(_line, error.errors()))) from None


def use_dagster_home(folder: Path) -> None:
    """Tell Dagster, in this process and in those it starts, where its instance is, and to write events in batches."""
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")  # see storage.history


def environment_name(field: str) -> str:
    """Return the variable that fills a field; the first where there are several."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


def _line(problem: ErrorDetails) -> str:
    """Say what is wrong in one line; rules across variables name theirs in the message already."""
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    name, value = str(problem["loc"][0]), str(problem["input"])
    return f"{name}: {message}" if _may_be_secret(name, value) else f"{name}: {message}, not {value!r}"


def _may_be_secret(name: str, value: str) -> bool:
    """Whether a value must not be shown: it fills a secret field, or is a URL with a user in it."""
    secret = {
        environment_name(field) for field, info in Settings.model_fields.items() if info.annotation == SecretStr | None
    }
    return name in secret or "@" in value
