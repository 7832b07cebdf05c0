"""Access to one S3 location by boto3, for requests that pyarrow lacks: conditional writes and unfinished uploads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

_REFUSED_CONDITION = frozenset({404, 409, 412})
"""Statuses of a write whose condition does not hold: If-Match without an object, two writes at once, another ETag."""


@dataclass(frozen=True)
class S3Access:
    """A location ``bucket/prefix`` and the means to reach it; safe to share between threads.

    Args:
        location: ``bucket/prefix``.
        client_options: Endpoint, region and credentials, as keyword arguments of ``boto3.client``.
        timeout_seconds: Time allowed to connect, and for each request.
        attempts: Tries of each request.
    """

    location: str
    client_options: Mapping[str, str | None] = field(repr=False)
    timeout_seconds: float
    attempts: int

    @property
    def bucket(self) -> str:
        """The bucket."""
        return self.location.partition("/")[0]

    @property
    def prefix(self) -> str:
        """Prefix of every object's key: empty, or ending in a slash."""
        prefix = self.location.partition("/")[2].strip("/")
        return f"{prefix}/" if prefix else ""

    @cached_property
    def client(self) -> Any:
        """The client, made at first use."""
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  (a third of a second; a lake on disk needs none)
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        limits = Config(
            connect_timeout=self.timeout_seconds,
            read_timeout=self.timeout_seconds,
            retries={"mode": "standard", "max_attempts": self.attempts},
            max_pool_connections=32,
            request_checksum_calculation="when_required",  # some servers refuse a checksum that they do not know
            response_checksum_validation="when_required",
        )
        return boto3.client("s3", config=limits, **self.client_options)

    def put_if(
        self, key: str, content: bytes, etag: str | None, metadata: Mapping[str, str] | None = None
    ) -> str | None:
        """Write an object on condition that it is still the one that the caller saw.

        Args:
            key: Key of the object below the prefix.
            content: The content.
            etag: ETag of the object that the caller saw; None if there was no object.
            metadata: Metadata to store with the object.

        Returns:
            ETag of the written object; None if the condition does not hold.

        Raises:
            ClientError: If the server refuses the request for another reason.
            BotoCoreError: If the server does not answer.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            answer = self.client.put_object(
                Bucket=self.bucket,
                Key=self.prefix + key,
                Body=content,
                ContentType="application/octet-stream",
                Metadata=dict(metadata or {}),
                **condition,
            )
        except ClientError as error:
            if status_of(error) in _REFUSED_CONDITION and _code(error) != "NoSuchBucket":
                return None
            raise
        return str(answer["ETag"])


def status_of(error: ClientError) -> int:
    """Return the HTTP status of a refusal; 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
