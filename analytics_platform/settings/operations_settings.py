"""The settings of access, alerts and logs. ``loader.Settings`` inherits them."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from analytics_platform.system.home import Access

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S")


class OperationsSettings(BaseSettings):
    """Settings of access to the home, of alerts and warnings, and of logs."""

    home_access: Access = Field(
        default="private",
        validation_alias="ANALYTICS_HOME_ACCESS",
        description="Who may read the home and all files made in it: private is the owner, group also the group.",
    )
    ui_url: str = Field(
        default="http://127.0.0.1:3000",
        validation_alias="ANALYTICS_UI_URL",
        description="Where people reach the Dagster UI, for links.",
    )
    alert_urls: SecretStr | None = Field(
        default=None,
        validation_alias="ANALYTICS_ALERT_URLS",
        description="Where alerts go: addresses as apprise takes them, separated by commas; the log when unset.",
    )
    alert_repeat_hours: float = Field(
        default=24,
        ge=0,
        le=8760,
        validation_alias="ANALYTICS_ALERT_REPEAT_HOURS",
        description="The same alert is not sent again within this time.",
    )
    stale_hours: float | None = Field(
        default=None,
        gt=0,
        le=87600,
        validation_alias="ANALYTICS_STALE_HOURS",
        description="Alert when an asset lags for longer than this; never when unset.",
    )

    quarantine_warn_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        validation_alias="ANALYTICS_QUARANTINE_WARN_SHARE",
        description="Share of the source's rows from which a run warns that rows cannot be used; 0.1 is a tenth.",
    )
    compute_logs_uri: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_COMPUTE_LOGS_URI",
        description="s3://bucket/prefix for what runs print; below the home when unset.",
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
