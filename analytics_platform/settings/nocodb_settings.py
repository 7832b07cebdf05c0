"""The settings of the NocoDB source and of the polling interval. ``loader.Settings`` inherits them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from analytics_platform.settings import validators as checks


class NocoSettings(BaseSettings):
    """Settings of the NocoDB source and of the polling interval."""

    nocodb_url: Annotated[str | None, AfterValidator(checks.endpoint)] = Field(
        default=None, validation_alias="NOCODB_URL", description="For nocodb: address of the server, https://host."
    )
    nocodb_token: SecretStr | None = Field(
        default=None, validation_alias="NOCODB_TOKEN", description="For nocodb: API token."
    )
    nocodb_messages_table: str | None = Field(
        default=None,
        validation_alias="NOCODB_MESSAGES_TABLE",
        description="For nocodb: id of the table of messages; `analytics inspect nocodb` finds it.",
    )
    nocodb_conversations_table: str | None = Field(
        default=None,
        validation_alias="NOCODB_CONVERSATIONS_TABLE",
        description="For nocodb: id of the table of conversations; unset if there is none.",
    )
    nocodb_corrections_table: str | None = Field(
        default=None,
        validation_alias="NOCODB_CORRECTIONS_TABLE",
        description="Id of a NocoDB table of corrections, with the columns conversation_id, kind, label, who and when; "
        "of any source.",
    )
    nocodb_api_version: Literal["v2", "v3"] = Field(
        default="v2", validation_alias="NOCODB_API_VERSION", description="For nocodb: version of its API."
    )
    nocodb_requests_per_second: float = Field(
        default=5,
        gt=0,
        le=1000,
        validation_alias="NOCODB_REQUESTS_PER_SECOND",
        description="For nocodb: largest number of requests per second; its hosted service allows 5.",
    )
    nocodb_timeout_seconds: float = Field(
        default=30,
        gt=0,
        le=600,
        validation_alias="NOCODB_TIMEOUT_SECONDS",
        description="For nocodb: seconds to wait for an answer.",
    )
    poll_seconds: int = Field(
        default=60,
        ge=5,
        le=86_400,
        validation_alias="ANALYTICS_POLL_SECONDS",
        description="Seconds between two ticks of the sensor that reads changes at the source.",
    )

    def missing_for_nocodb(self) -> list[str]:
        """Return the variables that the NocoDB source requires and that are unset."""
        needed = {
            "NOCODB_URL": self.nocodb_url,
            "NOCODB_TOKEN": self.nocodb_token,
            "NOCODB_MESSAGES_TABLE": self.nocodb_messages_table,
        }
        return [name for name, value in needed.items() if not value]
