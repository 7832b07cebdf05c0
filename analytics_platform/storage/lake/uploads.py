"""Abort S3 uploads that were begun and never finished: a killed writer leaves them, invisible and paid for.

The module uses boto3 because pyarrow cannot list or abort uploads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from analytics_platform.storage.s3_access import S3Access


@dataclass(frozen=True)
class UnfinishedUploads:
    """The unfinished uploads below one S3 location.

    Args:
        access: The location.
    """

    access: S3Access

    def abort(self, names: Collection[str], begun_before: dt.datetime) -> int:
        """Abort the uploads into some folders that were begun before a time.

        Args:
            names: Folders directly below the location.
            begun_before: Uploads begun at this time or later stay.

        Returns:
            Number of uploads aborted.
        """
        client, bucket = self.access.client, self.access.bucket
        aborted = 0
        for upload in self._uploads():
            if upload["Initiated"] < begun_before and self._folder(upload["Key"]) in names:
                client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
                aborted += 1
        return aborted

    def _uploads(self) -> Iterator[dict[str, Any]]:
        pages = self.access.client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=self.access.bucket, Prefix=self.access.prefix):
            yield from page.get("Uploads", [])

    def _folder(self, key: str) -> str:
        """Return the folder of an object key directly below the location; empty for a key outside every folder."""
        return key.removeprefix(self.access.prefix).rpartition("/")[0].partition("/")[0]
