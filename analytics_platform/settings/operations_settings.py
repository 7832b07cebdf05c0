"""The settings of access, alerts, logs and leases. ``loader.Settings`` inherits them."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from analytics_platform.system.home import Access

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S")


class OperationsSettings(BaseSettings):
    """Settings of access to the home, of alerts and warnings, of logs, and of leases on days."""

    home_access: Access = Field(
        default="private",
        validation_alias="ANALYTICS_HOME_ACCESS",
        description="Who may read the home and its files: private is the owner alone, group is the owner's group, too.",
    )
    ui_url: str = Field(
        default="http://127.0.0.1:3000",
        validation_alias="ANALYTICS_UI_URL",
        description="Address of the Dagster UI for its users; alerts link to it.",
    )
    alert_urls: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_ALERT_URLS",
        description="Addresses for alerts, in the form of apprise, separated by commas; unset, alerts are only logged.",
    )
    alert_repeat_hours: float = Field(
        default=24,
        ge=0,
        le=8760,
        validation_alias="ANALYTICS_ALERT_REPEAT_HOURS",
        description="Hours within which the same alert is not sent again.",
    )
    stale_hours: float | None = Field(
        default=None,
        gt=0,
        le=87600,
        validation_alias="ANALYTICS_STALE_HOURS",
        description="Hours after which an asset with newer inputs is overdue and raises an alert; unset, none is.",
    )

    quarantine_warn_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        validation_alias="ANALYTICS_QUARANTINE_WARN_SHARE",
        description="Share of the source's rows from which a run warns that rows cannot be used; 0.1 is a tenth.",
    )
    history_url: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_HISTORY_URL",
        description="postgresql://user:password@host:port/database for Dagster's event history, which machines may "
        "share; unset, it is a folder of the home.",
    )
    history_days: int = Field(
        default=90,
        ge=1,
        le=36500,
        validation_alias="ANALYTICS_HISTORY_DAYS",
        description="Days after which a finished run is removed from Dagster's event history; a run that holds the "
        "newest result of any partition or check stays.",
    )
    lease_seconds: float = Field(
        default=60,
        ge=2,
        le=3600,
        validation_alias="ANALYTICS_LEASE_SECONDS",
        description="For a lake on S3 or outside the home: seconds after which other machines take over the days of a "
        "machine that has died or sleeps.",
    )
    compute_logs_uri: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_COMPUTE_LOGS_URI",
        description="s3://bucket/prefix for the output of runs; unset, it is stored below the home.",
    )

    @field_validator("ui_url")
    @classmethod
    def _ui(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
            raise ValueError("must be http://host:port or https://host, without credentials")
        return url.rstrip("/")

    @field_validator("alert_urls")
    @classmethod
    def _addresses(cls, urls: SecretStr | None) -> SecretStr | None:
        if urls is not None and not _ADDRESS.match(urls.get_secret_value()):
            raise ValueError("must be addresses such as slack://... or mailto://..., separated by commas")
        return urls

    @field_validator("history_url")
    @classmethod
    def _history(cls, url: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(url.get_secret_value()) if url else None
        if parts and (
            parts.scheme not in {"postgresql", "postgres"} or not parts.hostname or not parts.path.strip("/")
        ):
            raise ValueError("must be postgresql://user:password@host:port/database")
        return url

    @field_validator("compute_logs_uri")
    @classmethod
    def _logs(cls, uri: str | None) -> str | None:
        parts = urlsplit(uri or "s3://unset")
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
            raise ValueError("must be s3://bucket/prefix; credentials belong in AWS_ACCESS_KEY_ID and so on")
        return uri

    def share_aws_keys(self) -> None:
        """Set the variables in which boto3 looks for AWS keys, for this process and its children."""
        for field in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
            secret: SecretStr | None = getattr(self, field)
            if secret is not None:
                os.environ.setdefault(field.upper(), secret.get_secret_value())
