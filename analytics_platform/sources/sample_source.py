"""The source that reads the sample shipped with the platform; ``analytics_platform/sample`` builds the sample."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from analytics_platform.sources.file_reading.file_source import FileSource


def sample_source(staging_dir: Path, *, first_day: dt.date, last_day: dt.date, stages: bool = True) -> FileSource:
    """Return the source of the sample's conversations.

    Args:
        staging_dir: Folder for the staged days; safe to delete.
        first_day: First day of the partitions.
        last_day: Last day of the partitions, inclusive.
        stages: Whether to stage the sample if it is not staged yet.
    """
    path = Path(__file__).parents[1] / "sample" / "conversations.parquet"
    return FileSource(
        str(path), staging_dir=staging_dir, first_day=first_day, last_day=last_day, name="sample", stages=stages
    )
