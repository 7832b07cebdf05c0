"""Looks up secrets in AWS, for settings that hold a reference to the secret instead of its value.

A reference is ``aws-secretsmanager://name``, ``aws-secretsmanager://name#key`` (a key of a JSON secret), or
``aws-ssm://name`` (a parameter of the Parameter Store, decrypted; ``aws-ssm:///path/name`` with a path).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import orjson

from analytics_platform.errors import UserError

TIMEOUT_SECONDS = 10.0
_MANAGER, _STORE = "aws-secretsmanager://", "aws-ssm://"


class SecretError(UserError, RuntimeError):
    """A secret cannot be looked up. The message names its variable, but neither its value nor its place."""


def is_reference(value: str) -> bool:
    """Tell whether a value is a reference to a secret, rather than a secret."""
    return value.startswith((_MANAGER, _STORE))


class SecretReferences:
    """Looks up secrets in AWS, each once per process.

    Args:
        client_options: Region and credentials for boto3; boto3 determines an option that is None by itself.
        timeout_seconds: Timeout of connecting, and of each request.
    """

    def __init__(self, client_options: dict[str, str | None], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._client_options = client_options
        self._timeout_seconds = timeout_seconds
        self._known: dict[str, str] = {}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show no state, because all of it is secret."""
        return "SecretReferences()"

    def resolve(self, variable: str, value: str) -> str:
        """Return a value, looked up in AWS if it is a reference.

        Args:
            variable: The variable that holds the value, for messages.
            value: The secret, or a reference to it.

        Raises:
            SecretError: If the secret cannot be looked up.
        """
        if not is_reference(value):
            return value
        with self._lock:
            if value not in self._known:
                self._known[value] = self._look_up(variable, value)
            return self._known[value]

    def _look_up(self, variable: str, reference: str) -> str:
        from botocore.exceptions import (  # type: ignore[import-untyped]  # noqa: PLC0415  (only those who use AWS)
            BotoCoreError,
            ClientError,
        )

        service, ask = self._question(reference)
        try:
            secret_text = ask()
        except ClientError as error:
            raise SecretError(f"{variable}: AWS {service} says {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise SecretError(f"{variable}: AWS {service} cannot be reached ({type(error).__name__})") from None
        key = reference.removeprefix(_MANAGER).partition("#")[2] if reference.startswith(_MANAGER) else ""
        secret = _member(secret_text, key) if key and secret_text else secret_text
        if not secret:
            where = "under that key" if key else "there"
            raise SecretError(f"{variable}: AWS {service} has no text {where}")
        return secret

    def _question(self, reference: str) -> tuple[str, Callable[[], str | None]]:
        """Return the name of the AWS service, and the call that fetches the secret's text."""
        if reference.startswith(_MANAGER):
            name = reference.removeprefix(_MANAGER).partition("#")[0]
            return (
                "Secrets Manager",
                lambda: self._client("secretsmanager").get_secret_value(SecretId=name).get("SecretString"),
            )
        name = reference.removeprefix(_STORE)
        return (
            "Parameter Store",
            lambda: self._client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"].get("Value"),
        )

    def _client(self, service: str) -> Any:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        library = logging.getLogger("botocore")
        library.setLevel(max(logging.INFO, library.level))  # its debug lines hold whole answers
        limits = Config(
            connect_timeout=self._timeout_seconds,
            read_timeout=self._timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        if service not in self._clients:
            self._clients[service] = boto3.client(service, config=limits, **self._client_options)
        return self._clients[service]


def _member(text: str, key: str) -> str | None:
    """Return the text under a key of a JSON object; None if there is none."""
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    member = content.get(key) if isinstance(content, dict) else None
    return member if isinstance(member, str) else None
