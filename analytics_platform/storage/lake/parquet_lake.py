"""The Parquet lake: one file per table and day, on local disk or S3, replaced atomically.

The footer of each file keeps the content hash, the provenance and the annotations of the partition.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from pyarrow import fs

from analytics_platform.errors import UserError
from analytics_platform.files import remove_staged, write_atomically
from analytics_platform.storage.content_hash import content_hash
from analytics_platform.storage.lake.fenced_writes import FencedWrites, ObjectBusyError
from analytics_platform.storage.lake.footers import Footers, stamp_of
from analytics_platform.storage.lake.parquet_bytes import FOOTER_KEY, decode, encode
from analytics_platform.storage.lake.placement import misplaced, place
from analytics_platform.storage.lake.uploads import UnfinishedUploads
from analytics_platform.storage.lake.written_tables import WrittenTables
from analytics_platform.storage.leases.day_leases import DayLeases
from analytics_platform.storage.leases.held_lease import Lease
from analytics_platform.storage.leases.registers import FolderRegister, Register
from analytics_platform.storage.leases.s3_register import FOLDER, S3Register
from analytics_platform.storage.partitions import PartitionInfo, StoreUnreachableError
from analytics_platform.storage.provenance import STORED_FIELD
from analytics_platform.storage.s3_access import S3Access
from analytics_platform.system.home import require_folder
from analytics_platform.system.permissions import find_blocked

FILE = "data.parquet"
LEFT_OVER_AFTER = dt.timedelta(hours=6)
"""Age after which a staged file counts as left over: a live writer finishes its file earlier."""
UPLOAD_LEFT_OVER_AFTER = dt.timedelta(days=1)
S3_ATTEMPTS = 7
"""Tries of one request with growing pauses; together they bridge a server restart of half a minute."""
_S3_ERROR = "AWS Error"
_S3_HINT = "; does the server of AWS_ENDPOINT_URL answer, and take these keys?"
_DAY = "date="
_PARTITION = re.compile(r"(?:^|/)date=([^/]+)/data\.parquet$")


class LakeError(UserError, RuntimeError):
    """The lake cannot be read or written; the message names the path and the remedy."""


class LakeUnreachableError(LakeError, StoreUnreachableError):
    """The lake's server refuses every request or does not answer."""


class DamagedPartitionError(LakeError):
    """A partition's file cannot be decoded, or its content is not what was written; ``analytics repair`` mends it.

    Attributes:
        reason: The damage alone, without path and remedy, for a copy of a lake that no repair reaches.
    """

    reason = ""


class Lake:
    """Parquet files below one root: ``<root>/<table>/date=<key>/data.parquet``, or without ``date=`` for key ``""``.

    Args:
        filesystem: The file system that holds the root.
        root: Path of the root within the file system.
        s3: Access to the root by boto3, for a lake on S3.

    Attributes:
        leases: The leases under which partitions are written; None if no other machine shares the lake.
    """

    def __init__(self, filesystem: fs.FileSystem, root: str, s3: S3Access | None = None) -> None:
        self._fs = filesystem
        self.root = root.rstrip("/")
        self.leases: DayLeases | None = None
        self._s3 = s3
        self._fenced = FencedWrites(s3) if s3 else None
        self._footers = Footers()
        self._written = WrittenTables()
        self._checksums: dict[str, bytes] = {}
        self._local = isinstance(filesystem, fs.LocalFileSystem)

    def __repr__(self) -> str:
        """Return the root only; a file system may hold credentials."""
        return f"Lake({self.root!r})"

    @classmethod
    def open(
        cls,
        uri: str,
        *,
        endpoint_url: str | None = None,
        region: str = "us-east-1",
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        timeout_seconds: float = 30,
        attempts: int = S3_ATTEMPTS,
        lease_seconds: float | None = None,
    ) -> Lake:
        """Return the lake at a local path or ``s3://bucket/prefix``, without contacting a server.

        Args:
            uri: Local folder or S3 location.
            endpoint_url: S3-compatible server, ``http(s)://host:port``; AWS when None.
            region: Region of the bucket.
            access_key: S3 access key; the usual AWS credential chain when None.
            secret_key: S3 secret key.
            session_token: Token of temporary credentials.
            timeout_seconds: Time allowed to connect, and for each request.
            attempts: Tries of each S3 request; the pauses between tries grow from milliseconds to 20 s.
            lease_seconds: Time of a lease on days; None for a lake whose days are not leased.

        Raises:
            LakeError: If the URI has another scheme.
            PlaceError: If the path is a file.
        """
        scheme, separator, location = uri.partition("://")
        if not separator:
            require_folder("ANALYTICS_LAKE_URI", Path(uri).absolute(), writable=False)
            return cls(fs.LocalFileSystem(), str(Path(uri).absolute()))._leased(lease_seconds)
        if scheme != "s3" or not location.strip("/"):
            raise LakeError(f"ANALYTICS_LAKE_URI: {uri!r} is neither a folder nor s3://bucket/prefix")
        endpoint_scheme, _, host = (endpoint_url or "https://").partition("://")
        filesystem = fs.S3FileSystem(
            access_key=access_key,
            secret_key=secret_key,
            session_token=session_token,
            region=region,
            scheme=endpoint_scheme,
            endpoint_override=host or None,
            connect_timeout=timeout_seconds,
            request_timeout=timeout_seconds,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=attempts),
        )
        options = {
            "endpoint_url": endpoint_url,
            "region_name": region,
            "aws_access_key_id": access_key,
            "aws_secret_access_key": secret_key,
            "aws_session_token": session_token,
        }
        return cls(filesystem, location, S3Access(location, options, timeout_seconds, attempts))._leased(lease_seconds)

    def _leased(self, seconds: float | None) -> Lake:
        if seconds is not None:
            self.leases = DayLeases(self.register(), seconds=seconds)
        return self

    def path(self, name: str, key: str) -> str:
        """Return the path of a partition's file within the filesystem."""
        return f"{self.root}/{name}/date={key}/{FILE}" if key else f"{self.root}/{name}/{FILE}"

    def keys(self, name: str) -> list[str]:
        """Return the keys of a table's stored partitions, ascending; an unpartitioned table has the key ``""``.

        Raises:
            LakeError: If the folder cannot be listed.
        """
        folder = f"{self.root}/{name}"
        if self._local:
            with _named(folder, "listed"):
                places = {key: self.path(name, key) for key in ("", *_days_in(folder))}
                return sorted(key for key, path in places.items() if stamp_of(self._fs, path) is not None)
        selector = fs.FileSelector(folder, recursive=True, allow_not_found=True)
        with _named(selector.base_dir, "listed"):
            paths = [entry.path for entry in self._fs.get_file_info(selector) if entry.base_name == FILE]
        matches = [_PARTITION.search(path) for path in paths]
        return sorted(match.group(1) if match else "" for match in matches)

    def info(self, name: str, key: str) -> PartitionInfo | None:
        """Return the info in a partition's footer, or None when the partition is not stored.

        Raises:
            LakeError: If the file cannot be read, or another program wrote it.
            DamagedPartitionError: If the file is not Parquet, or belongs to another table or day.
        """
        path = self.path(name, key)
        with _named(path, "read"):
            stamp = stamp_of(self._fs, path)
            if stamp is None:
                return None
            if known := self._footers.get(path, stamp):
                return known
            with self._fs.open_input_file(path) as file:
                metadata = pq.read_metadata(file)
        footer = self._footer(path, name, key, metadata)
        info = PartitionInfo(
            key=key,
            rows=metadata.num_rows,
            bytes=stamp.size,
            content_hash=footer["content_hash"],
            provenance=footer[STORED_FIELD],
            annotations=footer["annotations"],
        )
        self._footers.put(path, stamp, info)
        return info

    def _footer(self, path: str, name: str, key: str, metadata: pq.FileMetaData) -> Mapping[str, Any]:
        """Return the platform's part of the footer after checking that the file belongs to this table and day.

        Raises:
            LakeError: If another program wrote the file.
            DamagedPartitionError: If the file belongs to another table or day, e.g. after a wrong restore.
        """
        kept = (metadata.metadata or {}).get(FOOTER_KEY)
        if kept is None:
            raise LakeError(
                f"{path}: not written by this platform; move it away, or point ANALYTICS_LAKE_URI elsewhere"
            )
        try:
            footer: Mapping[str, Any] = orjson.loads(kept)
        except orjson.JSONDecodeError as error:
            raise _damaged(path, error) from error
        if reason := misplaced(footer, metadata, name, key):
            raise _damaged(path, reason)
        return footer

    def read_verified(self, name: str, key: str) -> pa.Table:
        """Read a partition and check its content against the content hash in its footer.

        Raises:
            KeyError: If the partition is not stored.
            LakeError: If the file cannot be fetched, or another program wrote it.
            DamagedPartitionError: If the file cannot be decoded, or its content has another hash.
        """
        path = self.path(name, key)
        try:
            with _named(path, "read"), self._fs.open_input_file(path) as file:
                content = file.read_buffer()  # first and as a whole: a network failure must not count as a damaged file
        except FileNotFoundError:
            raise KeyError(f"{name} has no partition {key!r}; materialize it first") from None
        try:
            parquet = pq.ParquetFile(pa.BufferReader(content))
            written = self._footer(path, name, key, parquet.metadata)["content_hash"]
            table = decode(parquet)
            read = content_hash(table)
        except LakeError:
            raise
        except Exception as error:  # Parquet's decoders raise errors of any kind on damaged bytes
            raise _damaged(path, error) from error
        if read != written:
            raise _damaged(path, "its content is not that of the hash in its footer")
        return table

    def read(self, name: str, key: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a partition, or some of its columns.

        Raises:
            KeyError: If the partition is not stored.
            LakeError: If the file cannot be read, or another program wrote it.
            DamagedPartitionError: If the file is not Parquet, or belongs to another table or day.
        """
        path = self.path(name, key)
        try:
            with _named(path, "read"):
                kept = self._written.get(path, stamp_of(self._fs, path), columns) if self._local else None
                if kept is not None:
                    return kept
                with self._fs.open_input_file(path) as file:
                    parquet = pq.ParquetFile(file)
                    self._footer(path, name, key, parquet.metadata)
                    return decode(parquet, columns)
        except FileNotFoundError:
            raise KeyError(f"{name} has no partition {key!r}; materialize it first") from None

    def write(
        self, name: str, key: str, table: pa.Table, provenance: str, annotations: Mapping[str, str] | None = None
    ) -> PartitionInfo:
        """Replace a partition atomically: a reader sees the whole old file or the whole new one.

        Raises:
            LakeError: If the file cannot be written.
            LeaseLostError: If the lease under which it is written is lost; the partition stays as it was.
        """
        digest, facts = content_hash(table), dict(sorted((annotations or {}).items()))
        kept = orjson.dumps(
            {**place(name, key), "content_hash": digest, STORED_FIELD: provenance, "annotations": facts}
        )
        content = encode(table, kept)
        path = self.path(name, key)
        with _named(path, "written"):
            self._put(path, content, self.leases.lease_of(key) if self.leases else None)
            stamp = stamp_of(self._fs, path) if self._local else None
        self._checksums[path] = hashlib.sha256(content).digest()
        info = PartitionInfo(key, table.num_rows, len(content), digest, provenance, facts)
        if stamp is not None:  # no other process writes the day: it is locked
            self._footers.put_written(path, stamp, info)
            self._written.keep(path, stamp, table.replace_schema_metadata(None))
        return info

    def checksum(self, name: str, key: str) -> bytes:
        """Return the SHA-256 of the file that this object wrote last for a partition.

        Raises:
            KeyError: If this object wrote none.
        """
        return self._checksums[self.path(name, key)]

    def adopt(self, name: str, key: str, checksum: bytes) -> None:
        """Count a file that another process of the same run wrote as written by this object."""
        self._checksums[self.path(name, key)] = checksum

    def _put(self, path: str, content: bytes, lease: Lease | None) -> None:
        """Replace a file; under a lease, only while the lease is held."""
        if self._fenced and lease:
            self._fenced.write(path.removeprefix(f"{self.root}/"), content, lease)
            return
        if lease:
            lease.require()
        if self._local:
            write_atomically(Path(path), content)
        else:  # an object appears when its upload is complete
            with self._fs.open_output_stream(path) as stream:
                stream.write(content)

    def register(self) -> Register:
        """Return the register of the leases on days of this lake; it is not contacted."""
        return S3Register(self._s3) if self._s3 else FolderRegister(Path(self.root) / FOLDER)

    def is_as_written(self, name: str, key: str) -> bool:
        """Tell whether a partition's file is, byte for byte, the last one that this object wrote for the partition.

        Raises:
            LakeError: If the file cannot be read.
        """
        path = self.path(name, key)
        written = self._checksums.get(path)
        if written is None:
            return False
        try:
            with _named(path, "read"), self._fs.open_input_file(path) as file:
                return hashlib.sha256(file.read_buffer()).digest() == written
        except FileNotFoundError:
            return False

    def sweep(self, names: Collection[str], older_than: dt.timedelta = LEFT_OVER_AFTER) -> int:
        """Remove the left-overs of killed writers from the folders of some tables.

        Args:
            names: The tables; other folders are not touched.
            older_than: Younger staged files stay. Unfinished uploads to S3 stay for at least a day.

        Returns:
            Number of staged files and unfinished uploads removed.

        Raises:
            LakeError: If S3 refuses or does not answer.
        """
        if self._local:
            folders = (_folders_of(f"{self.root}/{name}") for name in names)
            return remove_staged(itertools.chain.from_iterable(folders), older_than.total_seconds())
        if self._s3 is None:
            return 0
        begun_before = dt.datetime.now(dt.UTC) - max(older_than, UPLOAD_LEFT_OVER_AFTER)
        try:
            return UnfinishedUploads(self._s3).abort(names, begun_before)
        except (BotoCoreError, ClientError) as error:
            raise LakeError(f"{self.root}: cannot clear away unfinished uploads: {error}") from error


@contextmanager
def _named(path: str, done: str) -> Iterator[None]:
    """Raise read and write errors as a ``LakeError`` that names the file; ``FileNotFoundError`` passes unchanged.

    Args:
        path: The file.
        done: What failed, for the message: ``read``, ``written`` or ``listed``.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except pa.ArrowInvalid as error:
        raise _damaged(path, error) from error
    except (BotoCoreError, ClientError) as error:
        raise LakeUnreachableError(f"{path}: cannot be {done} (S3 says {error}){_S3_HINT}") from None
    except ObjectBusyError as error:
        raise LakeError(f"{path}: cannot be {done} ({error}); does another program write this lake?") from None
    except OSError as error:
        _, from_s3, said = str(error).partition(_S3_ERROR)
        if from_s3:
            raise LakeUnreachableError(f"{path}: cannot be {done} (S3 says {said.strip()}){_S3_HINT}") from None
        if isinstance(error, PermissionError) and (blocked := find_blocked(Path(path), writable=done == "written")):
            raise LakeError(blocked) from None
        hint = "; if it is damaged, `analytics repair` computes it again" if done == "read" else ""
        raise LakeError(f"{path}: cannot be {done} ({error}){hint}") from None


def _days_in(folder: str) -> list[str]:
    """Return the days with a folder in the folder of a local table; none for a missing table.

    Raises:
        OSError: If the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return [entry.name.removeprefix(_DAY) for entry in entries if entry.name.startswith(_DAY)]
    except FileNotFoundError:
        return []


def _folders_of(table: str) -> list[str]:
    """Return the folder of a local table and those of its days; the former alone if it cannot be listed."""
    try:
        return [table, *(f"{table}/{_DAY}{day}" for day in _days_in(table))]
    except (NotADirectoryError, PermissionError):
        return [table]


def _damaged(path: str, why: object) -> DamagedPartitionError:
    reason = str(why).partition("\n")[0]
    damaged = DamagedPartitionError(f"{path}: damaged ({reason}); `analytics repair` computes it again")
    damaged.reason = reason
    return damaged
