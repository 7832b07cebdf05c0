"""Uploads to S3 that were begun and never finished: a killed writer leaves them, invisible and paid for.

Belongs here: finding and aborting them. pyarrow has no call for that, so this is boto3.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UnfinishedUploads:
    """The unfinished uploads below one location.

    Args:
        location: ``bucket/prefix``.
        client_options: Where the server is and who asks, as boto3 takes them.
        timeout_seconds: For connecting, and for each request.
    """

    location: str
    client_options: dict[str, str | None] = field(repr=False)
    timeout_seconds: float

    def abort(self, names: Collection[str], begun_before: dt.datetime) -> int:
        """Abort what was begun before a time below the folders of these names; return how many uploads that were."""
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
        """Return the folder of a key below the location; empty for a file that lies beside the folders."""
        prefix = self.location.partition("/")[2].strip("/")
        return key.removeprefix(f"{prefix}/" if prefix else "").rpartition("/")[0].partition("/")[0]

    def _client(self) -> Any:
        import boto3  # type: ignore[import-untyped]  # noqa: PLC0415  (a third of a second; only a sweep of S3 needs it)
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        limits = Config(
            connect_timeout=self.timeout_seconds, read_timeout=self.timeout_seconds, retries={"mode": "standard"}
        )
        return boto3.client("s3", config=limits, **self.client_options)
