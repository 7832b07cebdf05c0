"""Secrets kept in AWS, against an imitation of its two services: the real ones cannot run here."""

from __future__ import annotations

import logging
import socket

import boto3
import pytest
from moto import mock_aws

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.settings.aws_secrets import SecretError, SecretReferences
from analytics_platform.settings.loader import load_settings

VARIABLE = "NOCODB_TOKEN"
SECRET = "s3cret-4711"
OPTIONS = {"region_name": "eu-central-1", "aws_access_key_id": "key", "aws_secret_access_key": "other-s3cret"}


@pytest.fixture(scope="module")
def aws():
    with mock_aws():
        manager = boto3.client("secretsmanager", **OPTIONS)
        manager.create_secret(Name="plain", SecretString=SECRET)
        manager.create_secret(Name="team/many", SecretString=f'{{"token": "{SECRET}", "port": 5432}}')
        manager.create_secret(Name="binary", SecretBinary=b"\x00")
        store = boto3.client("ssm", **OPTIONS)
        store.put_parameter(Name="flat", Value=SECRET, Type="String")
        store.put_parameter(Name="/prod/token", Value=SECRET, Type="SecureString")
        yield manager


@pytest.fixture(scope="module")
def references(aws):
    return SecretReferences(OPTIONS)


@pytest.mark.parametrize(
    "reference",
    [
        "aws-secretsmanager://plain",
        "aws-secretsmanager://team/many#token",
        "aws-ssm://flat",
        "aws-ssm:///prod/token",
        SECRET,
    ],
)
def test_a_reference_becomes_its_secret_and_a_secret_stays_one(references, reference):
    assert references.resolve(VARIABLE, reference) == SECRET


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("aws-secretsmanager://absent", "AWS Secrets Manager says ResourceNotFoundException"),
        ("aws-secretsmanager://team/many#port", "AWS Secrets Manager has no text under that key"),
        ("aws-secretsmanager://team/many#absent", "AWS Secrets Manager has no text under that key"),
        ("aws-secretsmanager://plain#token", "AWS Secrets Manager has no text under that key"),
        ("aws-secretsmanager://binary", "AWS Secrets Manager has no text there"),
        ("aws-secretsmanager://", "AWS Secrets Manager"),
        ("aws-ssm://absent", "AWS Parameter Store says ParameterNotFound"),
        ("aws-ssm://", "AWS Parameter Store"),
    ],
)
def test_what_cannot_be_looked_up_is_one_line_that_names_the_variable_only(references, reference, says):
    with pytest.raises(SecretError) as caught:
        references.resolve(VARIABLE, reference)
    message = str(caught.value)
    assert message.startswith(f"{VARIABLE}: {says}")
    assert "\n" not in message
    assert SECRET not in message
    assert caught.value.__cause__ is None


def test_a_secret_is_looked_up_once_per_process(aws, references):
    aws.create_secret(Name="turning", SecretString="first")
    assert references.resolve(VARIABLE, "aws-secretsmanager://turning") == "first"
    aws.put_secret_value(SecretId="turning", SecretString="second")
    assert references.resolve(VARIABLE, "aws-secretsmanager://turning") == "first"
    assert SecretReferences(OPTIONS).resolve(VARIABLE, "aws-secretsmanager://turning") == "second"


def test_a_service_that_does_not_answer_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = {**OPTIONS, "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        refusal = r"^NOCODB_TOKEN: AWS Parameter Store cannot be reached \(ReadTimeoutError"
        with pytest.raises(SecretError, match=refusal):
            SecretReferences(options, timeout_seconds=0.1).resolve(VARIABLE, "aws-ssm://flat")


def test_settings_hold_references_until_a_part_of_the_platform_needs_the_value(aws, monkeypatch, caplog):
    aws.create_secret(Name="mongo", SecretString=f"mongodb://user:{SECRET}@db.example.org/")
    aws.delete_secret(SecretId="mongo")
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("ANALYTICS_MONGO_URI", "aws-secretsmanager://mongo")
    platform = Platform(load_settings())  # nothing is looked up: the secret is not there yet
    with pytest.raises(SecretError, match=r"^ANALYTICS_MONGO_URI: AWS Secrets Manager says"):
        _ = platform.mongo
    aws.restore_secret(SecretId="mongo")
    assert repr(platform.mongo) == "MongoStore('db.example.org', 'analytics')"
    assert "s3cret" not in caplog.text
