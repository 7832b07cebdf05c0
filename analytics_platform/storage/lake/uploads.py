"""Abort S3 uploads that were begun and never finished: a killed writer leaves them, invisible and paid for.

The module uses boto3 because pyarrow cannot list or abort uploads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UnfinishedUploads:
    """The unfinished uploads below one S3 location.

    Args:
        location: ``bucket/prefix``.
        client_options: Endpoint, region and credentials, as keyword arguments of ``boto3.client``.
        timeout_seconds: Time allowed to connect, and for each request.
    """

    location: str
    client_options: dict[str, str | None] = field(repr=False)
    timeout_seconds: float

    def abort(self, names: Collection[str], begun_before: dt.datetime) -> int:
        """Abort the uploads into some folders that were begun before a time.

        Args:
            names: Folders directly below the location.
            begun_before: Uploads begun at this time or later stay.

        Returns:
            Number of uploads aborted.
        """
        client = self._client()
        bucket = self.location.partition("/")[0]
        aborted = 0
        for upload in self._uploads(client):
            if upload["Initiated"] < begun_before and self._folder(upload["Key"]) in names:
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                aborted += 1
        return aborted

    def _uploads(self, client: Any) -> Iterator[dict[str, Any]]:
        bucket, _, prefix = self.location.partition("/")
        below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=below):
            yield from page.get("Uploads", [])

    def _folder(self, key: str) -> str:
        """Return the folder of an object key directly below the location; empty for a key outside every folder."""
        prefix = self.location.partition("/")[2].strip("/")
        return key.removeprefix(f"{prefix}/" if prefix else "").rpartition("/")[0].partition("/")[0]

    def _client(self) -> Any:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  (a third of a second; only a sweep of S3 needs it)
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        limits = Config(
            connect_timeout=self.timeout_seconds, read_timeout=self.timeout_seconds, retries={"mode": "standard"}
        )
        return boto3.client("s3", config=limits, **self.client_options)
