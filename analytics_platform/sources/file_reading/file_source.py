"""The source that reads files of the formats in ``formats`` and the shapes in ``shapes``: by path, glob, folder or zip.

Files are split by day once (``staging``). The staged days are kept until the files, the mapping or the window of days
change; then they are removed as soon as no process reads them (``staging_holds``), so that no text outlives its
deletion at the source.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from analytics_platform.sources.base import Progress, SourceDay, SourceError, SourceStatus, UnplacedRows
from analytics_platform.sources.file_reading.locating import find_files
from analytics_platform.sources.file_reading.staging import require_columns, stage
from analytics_platform.sources.formats.content import SourceFile
from analytics_platform.sources.formats.encodings import AUTO_ENCODING
from analytics_platform.sources.mapping import FieldMapping, load_mapping
from analytics_platform.sources.published_days import (
    MANIFEST,
    placed_days,
    read_day,
    read_manifest,
    read_versions,
    unplaced_rows,
)
from analytics_platform.sources.row_rules.row_summary import SUMMARY, RowSummary, parse_summary
from analytics_platform.sources.shapes.catalogue import AUTO
from analytics_platform.sources.staging_holds import (
    UNFINISHED,
    Holds,
    StagingHold,
    discard,
    discard_unfinished,
    has_unfinished,
    hold,
)
from analytics_platform.system.disk_full import disk_full_told
from analytics_platform.system.plain_text import counted

READER_VERSION = 19
"""Increase this number when a code change stages the same files differently."""
_UNTIL = "-until-"
"""Part of a staging's folder name, between the fingerprint of files and mapping and the last day."""


class FileSource:
    """Conversations in files; implements ``Source``.

    Each call checks the files' sizes and modification times, not their content. Within a block of ``held`` only the
    first call and ``refresh`` check the files; every other call uses the staging that they found, even if the files
    change. At most one process stages at a time. When the last block ends, stagings that no process holds are removed,
    except the newest one. Safe to share between threads.

    Args:
        paths: Paths, folders, zips and globs, separated by commas; see ``locating.SUFFIXES`` for the formats.
        staging_dir: Folder for the staged days; safe to delete.
        first_day: First day of the partitions.
        last_day: Last day of the partitions, inclusive.
        mapping: YAML file with the field mapping; see ``mapping.FieldMapping``.
        shape: ``auto`` to recognise the shape of each file, or a name of ``shapes.catalogue.FORMATS`` for all of them.
        encoding: ``auto`` to recognise the encoding of each text file, or the encoding of all of them.
        prices: US dollars of a million input and output tokens by model; see ``mapping.FieldMapping``.
        name: Name of the source, stored with every row.
        stages: Whether to stage changed files; otherwise the source reads the newest staging, and neither writes nor
            removes files.
    """

    def __init__(
        self,
        paths: str,
        *,
        staging_dir: Path,
        first_day: dt.date,
        last_day: dt.date,
        mapping: Path | None = None,
        shape: str = AUTO,
        encoding: str = AUTO_ENCODING,
        prices: Mapping[str, tuple[float, float]] | None = None,
        name: str = "files",
        stages: bool = True,
    ) -> None:
        self.name = name
        self._paths = paths
        self._folder = staging_dir / name
        self._first_day = first_day
        self._last_day = last_day
        self._mapping = mapping
        self._shape = shape
        self._encoding = encoding
        self._prices = prices
        self._stages = stages
        self._holds = Holds(self._discard_old)

    def held(self) -> AbstractContextManager[None]:
        """Keep every staging that the block reads until the block ends, even if other processes stage newer files."""
        return self._holds.block()

    def refresh(self, *, seconds: float | None = None, on_progress: Progress | None = None) -> bool:  # noqa: ARG002
        """Check the files, and stage them if they have changed.

        Args:
            seconds: Ignored: files are staged as a whole or not at all.
            on_progress: Never called.

        Returns:
            True.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            self._staged(anew=True)
        return True

    def reconcile(self, *, accept_loss: bool = False, on_progress: Progress | None = None) -> Mapping[str, int]:
        """Refresh the source; files are always read as a whole, so a refresh finds deleted rows, too."""
        del accept_loss
        self.refresh(on_progress=on_progress)
        return {}

    def status(self) -> SourceStatus:
        """Return the number of rows in the newest staging, and whether the files are unchanged since then."""
        newest = self._newest()
        if newest is None:
            return SourceStatus(complete=False)
        try:
            unchanged = self._found()[2] == newest
        except SourceError:
            unchanged = False
        staged = dt.datetime.fromtimestamp((newest / MANIFEST).stat().st_mtime, dt.UTC)
        rows = sum(day.rows_read for day in read_manifest(newest).values())
        return SourceStatus(rows=rows, complete=unchanged, refreshed_at=staged.isoformat(timespec="seconds"))

    def days(self) -> Mapping[str, str]:
        """Return the days that have rows, ascending, each with a hash of the day's staged rows.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            folder = self._staged()
            return read_versions(folder) if folder else {}

    def rows_by_day(self) -> Mapping[str, int]:
        """Return the number of rows read for each day, from the manifest.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            folder = self._staged()
            return (
                {day: staged.rows_read for day, staged in placed_days(read_manifest(folder)).items()} if folder else {}
            )

    def summary(self) -> RowSummary:
        """Return what became of all rows of the files, from the staging.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            folder = self._staged()
            return parse_summary(folder / SUMMARY) if folder else RowSummary()

    def read_day(self, day: str) -> SourceDay:
        """Return the rows of one day; empty tables for a day without rows.

        Args:
            day: ``YYYY-MM-DD``.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            folder = self._staged()
            return read_day(folder, read_manifest(folder), day) if folder else read_day(self._folder, {}, day)

    def unplaced(self) -> UnplacedRows:
        """Return the rows that belong to no day, from the staging.

        Raises:
            SourceError: If a path, a file or the mapping is wrong.
        """
        with self.held():
            folder = self._staged()
            return unplaced_rows(folder, read_manifest(folder)) if folder else unplaced_rows(self._folder, {})

    def glance(self) -> str:
        """Return a short description of the files from the first batch of each; nothing is staged.

        Raises:
            SourceError: If a path or the mapping is wrong, or a file's first batch cannot be read.
        """
        files, mapping, folder = self._found()
        megabytes = sum(file.size for file in files) / 1e6
        what = f"{counted(len(files), 'file')}, {megabytes:,.1f} MB"
        if not (folder / MANIFEST).is_file():
            require_columns(files, mapping)
            return f"{what}, not read since they changed"
        days = list(placed_days(read_manifest(folder)))
        return f"{what}, {counted(len(days), 'day')} with rows, {days[0]} to {days[-1]}" if days else f"{what}, no rows"

    def _found(self) -> tuple[list[SourceFile], FieldMapping, Path]:
        """Return the files, the mapping, and the folder of their staging, which need not exist."""
        mapping = load_mapping(self._mapping, self._prices)
        files = [replace(file, shape=self._shape, encoding=self._encoding) for file in find_files(self._paths)]
        return files, mapping, self._fitting_folder(self._fingerprint(files, mapping))

    def _fitting_folder(self, fingerprint: str) -> Path:
        """Return the folder of a staging that fits the last day, or the folder that such a staging gets.

        A staging up to an earlier last day fits when no row lies beyond it: without an end date the last day is today,
        and midnight alone must not stage the files anew.
        """
        exact = self._folder / f"{fingerprint}{_UNTIL}{self._last_day}"
        for folder in (exact, *sorted(self._folder.glob(f"{fingerprint}{_UNTIL}*"), reverse=True)):
            earlier = folder.name.rpartition(_UNTIL)[2] <= self._last_day.isoformat()
            if (folder / MANIFEST).is_file() and earlier:
                with contextlib.suppress(FileNotFoundError):  # another process removed the staging
                    if folder == exact or not parse_summary(folder / SUMMARY).after_last_day:
                        return folder
        return exact

    def _staged(self, *, anew: bool = False) -> Path | None:
        """Return the folder of the files' staging, and hold it; stage the files first if necessary.

        Args:
            anew: Check the files even if the running blocks have a staging. Without it, a run keeps one state of files
                that may grow while it reads them.

        Returns:
            The folder; None when this source does not stage and no staging exists.
        """
        if not anew and self._holds.current is not None:
            return self._holds.current
        if not self._stages:
            newest = self._newest()
            return newest if newest and self._holds.keep(hold(newest)) else None
        files, mapping, folder = self._found()
        if not ((folder / MANIFEST).is_file() and self._holds.keep(hold(folder))):
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock"):
                # Another process may have staged while this one waited.
                if not ((folder / MANIFEST).is_file() and self._holds.keep(hold(folder))):
                    self._holds.keep(self._stage(folder, files, mapping))
        self._discard(folder)
        return folder

    def _stage(self, folder: Path, files: list[SourceFile], mapping: FieldMapping) -> StagingHold | None:
        """Stage the files as the only staging process, and return the hold of the staging.

        Raises:
            DiskFullError: If the disk has no space for the staging.
            SourceError: If the files cannot be split for another reason.
        """
        discard_unfinished(self._folder)
        with (
            disk_full_told(self._folder),
            tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=self._folder) as unfinished,
        ):
            done = Path(unfinished) / folder.name
            done.mkdir()
            try:
                stage(done, files, mapping, name=self.name, first_day=self._first_day, last_day=self._last_day)
            except duckdb.Error as error:  # its messages have several lines
                reason = " ".join(str(error).split())
                raise SourceError(f"{self._folder}: the source cannot be split by day here: {reason}") from error
            held = hold(done, folder)  # before the rename, so that no other process removes the visible staging
            done.rename(folder)
        return held

    def _discard_old(self) -> None:
        newest = self._newest() if self._stages else None
        if newest:
            self._discard(newest)

    def _discard(self, keep: Path) -> None:
        """Remove stagings other than ``keep`` that no process holds, and unfinished stagings of killed processes."""
        discard(self._folder, [keep])
        if has_unfinished(self._folder):
            try:
                with FileLock(self._folder / ".lock", timeout=0):
                    discard_unfinished(self._folder)
            except Timeout:  # another process stages, and removes them itself
                pass

    def _newest(self) -> Path | None:
        """Return the newest staging; None when there is none."""
        made = {}
        for manifest in self._folder.glob(f"[!.]*/{MANIFEST}"):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                made[manifest.parent] = manifest.stat().st_mtime_ns
        return max(made, key=made.__getitem__, default=None)

    def _fingerprint(self, files: list[SourceFile], mapping: FieldMapping) -> str:
        parts = [
            READER_VERSION,
            self.name,
            str(self._first_day),
            mapping.model_dump(),
            [
                [
                    str(file.path),
                    file.member,
                    file.label,
                    file.size,
                    file.modified_ns,
                    file.shape,
                    file.encoding,
                    file.is_named,
                ]
                for file in files
            ],
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
