"""The lake on a real S3 server: the same content hashes as on disk."""

from __future__ import annotations

import datetime as dt

import boto3
import pyarrow as pa
import pytest

from analytics_platform.storage.lake import Lake, LakeError
from analytics_platform.storage.lake import parquet_lake as lake_module

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(s3, request):
    return Lake.open(
        f"s3://{s3.bucket}/{request.node.name}", endpoint_url=s3.url, access_key=s3.key, secret_key=s3.secret
    )


def table(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64()), "text": [f"row {value}" for value in values]})


def test_a_partition_on_s3_is_the_same_as_on_disk(lake, tmp_path):
    local = Lake.open(str(tmp_path))
    assert lake.write("t", "2006-05-15", table(1, 2), "print", {"a": "b"}) == local.write(
        "t", "2006-05-15", table(1, 2), "print", {"a": "b"}
    )
    assert lake.info("t", "2006-05-15") == local.info("t", "2006-05-15")
    assert lake.read("t", "2006-05-15") == table(1, 2)
    assert lake.read("t", "2006-05-15", ["n"]).column_names == ["n"]


def test_days_are_listed_and_missing_ones_are_missing(lake):
    assert lake.keys("t") == []
    lake.write("t", "2006-05-16", table(), "")
    lake.write("t", "2006-05-15", table(1), "")
    lake.write("total", "", table(1), "")
    assert lake.keys("t") == ["2006-05-15", "2006-05-16"]
    assert lake.keys("total") == [""]
    assert lake.info("t", "2006-05-17") is None
    with pytest.raises(KeyError, match="2006-05-17"):
        lake.read("t", "2006-05-17")


def test_a_partition_is_replaced_as_a_whole(lake):
    for rows in (3, 1, 0):
        lake.write("t", "2006-05-15", table(*range(rows)), str(rows))
        assert lake.read("t", "2006-05-15").num_rows == lake.info("t", "2006-05-15").rows == rows
    assert lake.keys("t") == ["2006-05-15"]


def test_unfinished_uploads_are_aborted_when_old_and_only_those_of_our_tables(lake, s3, request, monkeypatch):
    client = boto3.client(
        "s3", endpoint_url=s3.url, aws_access_key_id=s3.key, aws_secret_access_key=s3.secret, region_name="us-east-1"
    )
    prefix = request.node.name

    def begin(key: str) -> None:
        upload = client.create_multipart_upload(Bucket=s3.bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=s3.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half a table")

    def unfinished() -> set[str]:
        found = client.list_multipart_uploads(Bucket=s3.bucket, Prefix=prefix).get("Uploads", [])
        return {upload["Key"].removeprefix(f"{prefix}/") for upload in found}

    for key in ("t/date=2006-05-15/data.parquet", "other/data.parquet", "t"):
        begin(f"{prefix}/{key}")
    begin(f"{prefix}-not-ours/t/data.parquet")
    lake.write("t", "2006-05-15", table(1), "")
    before = unfinished()
    assert len(before) == 4
    assert lake.sweep({"t"}, dt.timedelta()) == 0, "an upload of today may be somebody's at work"
    assert unfinished() == before
    monkeypatch.setattr(lake_module, "UPLOAD_LEFT_OVER_AFTER", dt.timedelta())
    assert lake.sweep({"t"}, dt.timedelta(seconds=-1)) == 1
    assert before - unfinished() == {"t/date=2006-05-15/data.parquet"}
    assert lake.read("t", "2006-05-15") == table(1)


def test_a_sweep_that_is_refused_says_so_without_secrets(s3):
    lake = Lake.open(f"s3://{s3.bucket}/x", endpoint_url=s3.url, access_key=s3.key, secret_key="wr0ng-secret")
    with pytest.raises(LakeError, match="cannot clear away unfinished uploads") as caught:
        lake.sweep({"t"})
    assert "wr0ng" not in str(caught.value) + repr(lake)
