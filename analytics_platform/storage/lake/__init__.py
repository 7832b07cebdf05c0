"""The Parquet lake, on local disk or S3."""

from analytics_platform.storage.lake.parquet_lake import S3_ATTEMPTS, DamagedPartitionError, Lake, LakeError

__all__ = ["S3_ATTEMPTS", "DamagedPartitionError", "Lake", "LakeError"]
