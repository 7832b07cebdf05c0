"""Writes of lake files under a lease, so that a holder that slept cannot overwrite the content of its successor.

A check of the lease before a write is not enough: the process may stand still between the check and the write. On S3
the write itself has a condition: the object must still be the one that the holder saw while it held the lease. A
successor's object is another one, so the server refuses the sleeper's.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from analytics_platform.storage.leases.held_lease import Lease
from analytics_platform.storage.s3_access import S3Access, status_of

_MOST_TRIES = 5
_WRITE = "write"
"""Metadata of an object: a random name of the write, by which a writer recognises an object as its own."""
_DAY = "/date="
_NOT_FOUND = 404


class ObjectBusyError(Exception):
    """Another program replaces an object again and again, though this process holds the lease on it."""


@dataclass
class FencedWrites:
    """Conditional writes of a lake on S3; safe to share between threads.

    Args:
        access: The location of the lake.
    """

    access: S3Access
    _seen: WeakKeyDictionary[Lease, dict[str, str | None]] = field(default_factory=WeakKeyDictionary)
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def write(self, key: str, content: bytes, lease: Lease) -> None:
        """Write an object under a lease.

        Args:
            key: Key of the object below the location: ``table/date=YYYY-MM-DD/file`` or ``table/file``.
            content: The content.
            lease: The lease.

        Raises:
            LeaseLostError: If the lease is lost; the object stays as it was.
            LeasesUnreachableError: If the lease may have expired, and its store does not answer.
            ObjectBusyError: If another program keeps replacing the object.
            ClientError: If the server refuses a request.
            BotoCoreError: If the server does not answer.
        """
        seen = self._etags(key, lease)
        lease.require()
        name = uuid.uuid4().hex
        for _ in range(_MOST_TRIES):
            written = self.access.put_if(key, content, seen.get(key), {_WRITE: name})
            if written is None:
                written = self._look(key, name, seen, lease)
            if written is not None:
                seen[key] = written
                return
        raise ObjectBusyError(f"it was replaced by another program at each of {_MOST_TRIES} tries")

    def _look(self, key: str, name: str, seen: dict[str, str | None], lease: Lease) -> str | None:
        """Look at an object that is not the expected one; return its ETag if this write made it, None otherwise.

        A holder that slept is refused here. The holder itself may meet an object that a sleeper wrote late, or that
        another program wrote: it replaces this object.
        """
        head = self._head(key)
        if head is not None and head["Metadata"].get(_WRITE) == name:
            return str(head["ETag"])  # the answer of the first try was lost, and the request was sent again
        lease.confirm()  # after the look: the object was seen while the lease was held
        seen[key] = str(head["ETag"]) if head is not None else None
        return None

    def _etags(self, key: str, lease: Lease) -> dict[str, str | None]:
        """Return the ETags that the lease's holder has seen, that of the object among them.

        One request lists the objects of a table, because one request per object would double the cost of a write.
        """
        folder = key.rpartition("/")[0]
        table, _, day = folder.partition(_DAY)
        with self._looking:
            seen = self._seen.setdefault(lease, {})
            if key in seen:
                return seen
            if not day:
                seen[key] = self._etag(key)
            elif f"{table}/" not in seen:  # stands for the listing of the table
                seen |= self._listed(f"{table}{_DAY}", lease)
                seen[f"{table}/"] = None
            lease.require()  # after the look: the objects were seen while the lease was held
            return seen

    def _etag(self, key: str) -> str | None:
        head = self._head(key)
        return str(head["ETag"]) if head is not None else None

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            head: dict[str, Any] = self.access.client.head_object(
                Bucket=self.access.bucket, Key=self.access.prefix + key
            )
        except ClientError as error:
            if status_of(error) == _NOT_FOUND:
                return None
            raise
        return head

    def _listed(self, days: str, lease: Lease) -> dict[str, str]:
        """Return the ETag of each object of a table on the lease's days, by key; ``days`` is the keys' beginning."""
        day_before = dt.date.fromisoformat(lease.first) - dt.timedelta(days=1)  # SeaweedFS skips the named folder
        start, end = f"{self.access.prefix}{days}{day_before}/~", f"{self.access.prefix}{days}{lease.last}/~"
        pages = self.access.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.access.bucket, Prefix=self.access.prefix + days, StartAfter=start
        )
        etags: dict[str, str] = {}
        for page in pages:
            found = {entry["Key"]: str(entry["ETag"]) for entry in page.get("Contents", [])}
            etags |= {key.removeprefix(self.access.prefix): etag for key, etag in found.items() if key <= end}
            if any(key > end for key in found):
                break
        return etags
