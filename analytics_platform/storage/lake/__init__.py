"""The Parquet lake, on local disk or S3."""

from analytics_platform.storage.lake.lake import DamagedPartitionError, Lake, LakeError

__all__ = ["DamagedPartitionError", "Lake", "LakeError"]
