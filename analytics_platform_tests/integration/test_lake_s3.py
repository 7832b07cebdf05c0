"""The lake on a real S3 server: the same content hashes as on disk."""

from __future__ import annotations

import pyarrow as pa
import pytest

from analytics_platform.storage.lake import Lake

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
