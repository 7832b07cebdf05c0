"""The Parquet lake, on local disk or S3."""

from analytics_platform.storage.lake.lake import Lake, LakeError

__all__ = ["Lake", "LakeError"]
