"""What runs print is kept on a real S3 server, and the UI reads it from there."""

from __future__ import annotations

import shutil

import boto3
import dagster as dg
import pytest

from analytics_platform.defs.resources.instance_folder import compute_logs_on_s3, open_instance, prepare_instance
from analytics_platform.settings.loader import PROJECT_ROOT, load_settings

pytestmark = pytest.mark.integration


@dg.asset
def talkative() -> None:
    print("printed by a step")  # noqa: T201


def test_what_a_step_prints_is_on_s3_and_is_read_back_from_there(s3, tmp_path, monkeypatch):
    home = tmp_path / "dagster"
    for name in s3.variables:
        monkeypatch.delenv(name, raising=False)
    with monkeypatch.context() as patch:
        for name, value in s3.variables.items():
            patch.setenv(name, value)
        settings = load_settings()  # as if from .env
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "")  # remembered, so that the end of the test takes away what is set below
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # one that an earlier test opened keeps that test's keys
    settings.share_aws_keys()
    logs = compute_logs_on_s3(
        f"s3://{s3.bucket}/logs/of runs/", home, endpoint_url=settings.aws_endpoint_url, region=settings.aws_region
    )
    prepare_instance(home, PROJECT_ROOT, logs)
    assert s3.secret not in (home / "dagster.yaml").read_text()
    with open_instance(home) as instance:
        result = dg.materialize([talkative], instance=instance)
        [captured] = [event for event in result.all_events if event.event_type_value == "LOGS_CAPTURED"]
        key = [result.run_id, "compute_logs", captured.event_specific_data.file_key]
        shutil.rmtree(home / "compute_logs")
        assert b"printed by a step" in instance.compute_log_manager.get_log_data(key).stdout
    client = boto3.client(
        "s3", endpoint_url=s3.url, aws_access_key_id=s3.key, aws_secret_access_key=s3.secret, region_name="us-east-1"
    )
    listed = client.list_objects_v2(Bucket=s3.bucket, Prefix="logs/of runs/storage/")["Contents"]
    assert {entry["Key"].rpartition(".")[2] for entry in listed} == {"out", "err"}


def test_a_run_does_not_fail_when_the_logs_cannot_be_kept(s3, tmp_path, monkeypatch):
    home = tmp_path / "dagster"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    prepare_instance(
        home, PROJECT_ROOT, compute_logs_on_s3(f"s3://{s3.bucket}/x", home, endpoint_url=s3.url, region="us-east-1")
    )
    with open_instance(home) as instance:
        assert dg.materialize([talkative], instance=instance).success
