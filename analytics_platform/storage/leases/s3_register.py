"""A register on S3: one object, replaced by conditional writes (``If-None-Match``, ``If-Match``)."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from analytics_platform.storage.leases.registers import LeasesUnreachableError
from analytics_platform.storage.s3_access import S3Access, status_of

FOLDER = "_leases"
"""Folder of the leases below the root of a lake. Readers of partitioned data skip names that begin with ``_``."""

_OBJECT = f"{FOLDER}/days.json"
_RACERS = 4
_NOT_FOUND = 404


@dataclass(frozen=True)
class S3Register:
    """A register of a lake on S3; safe to share between threads.

    Args:
        access: The lake's location.
    """

    access: S3Access

    @property
    def place(self) -> str:
        """URI of the object."""
        return f"s3://{self.access.bucket}/{self.access.prefix}{_OBJECT}"

    def read(self) -> tuple[bytes | None, str]:
        """Return the object's content and ETag."""
        with self._unreachable("read"):
            try:
                answer = self.access.client.get_object(Bucket=self.access.bucket, Key=self.access.prefix + _OBJECT)
            except ClientError as error:
                if status_of(error) == _NOT_FOUND and error.response["Error"].get("Code") != "NoSuchBucket":
                    return None, ""
                raise
            return answer["Body"].read(), str(answer["ETag"])

    def replace(self, content: bytes, version: str) -> str | None:
        """Write the object on condition that its ETag is ``version``."""
        with self._unreachable("written"):
            written = self.access.put_if(_OBJECT, content, version or None)
        if written is not None:
            return written
        # A request whose answer was lost was sent again, and met its own object.
        stored, etag = self.read()
        return etag if stored == content else None

    def overwrite(self, content: bytes) -> None:
        """Write the object without a condition."""
        with self._unreachable("written"):
            self.access.client.put_object(Bucket=self.access.bucket, Key=self.access.prefix + _OBJECT, Body=content)

    def fault(self) -> str | None:
        """Race conditional writes on an object of their own, and write it once more with an outdated ETag."""
        key = f"{FOLDER}/trial-{uuid.uuid4().hex}"
        with self._unreachable("written"):
            try:
                with ThreadPoolExecutor(_RACERS) as pool:
                    etags = list(pool.map(lambda number: self._raced(key, number), range(_RACERS)))
                winners = [etag for etag in etags if etag is not None]
                if len(winners) != 1:
                    return f"{len(winners)} of {_RACERS} writes with If-None-Match succeeded, not one"
                if self.access.put_if(key, b"next", winners[0]) is None:
                    return "a write with If-Match and the current ETag is refused"
                if self.access.put_if(key, b"outdated", winners[0]) is not None:
                    return "a write with If-Match and an outdated ETag succeeds"
            except ClientError as error:
                if status_of(error) in (400, 501):
                    return f"conditional writes are refused ({error.response['Error'].get('Code')})"
                raise
            finally:
                with contextlib.suppress(ClientError, BotoCoreError):  # a tiny object stays
                    self.access.client.delete_object(Bucket=self.access.bucket, Key=self.access.prefix + key)
        return None

    def _raced(self, key: str, number: int) -> str | None:
        return self.access.put_if(key, str(number).encode(), None)

    @contextlib.contextmanager
    def _unreachable(self, done: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise LeasesUnreachableError(
                f"{self.place}: cannot be {done} (S3 says {error}); the leases on days of this lake are kept there; "
                f"may these keys read, write and delete objects below {FOLDER}/?"
            ) from None
