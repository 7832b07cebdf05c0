"""No secret is written anywhere, whether runs succeed or fail: found by running the graph and searching everything."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import traceback
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from analytics_platform.cli.doctor import examine
from analytics_platform.cli.preparing import prepare
from analytics_platform.definitions import EVERYTHING, build_definitions
from analytics_platform.defs.resources.graph_resources import graph_resources
from analytics_platform.defs.resources.instance_folder import open_instance
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.runs.graph_run import run_range
from analytics_platform.operations.runs.outcome import Outcome
from analytics_platform.settings.loader import Settings, environment_name, load_settings
from analytics_platform_tests.integration.secret_search import found_below, found_in, reprs
from analytics_platform_tests.servers import MongoServer, S3Server, free_port

pytestmark = pytest.mark.integration

DAY = "2006-05-15"
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAkeyOfTheTest01",
    "AWS_SECRET_ACCESS_KEY": "s3/secret+OfTheTest02",
    "AWS_SESSION_TOKEN": "session/tokenOfTheTest03==",
    "ANALYTICS_MONGO_URI": "mongo@password/OfTheTest04",
    "NOCODB_TOKEN": "nocodb-tokenOfTheTest05",
    "ANALYTICS_ALERT_URLS": "alert-tokenOfTheTest06",
    "ANALYTICS_LLM_API_KEY": "sk-llmKeyOfTheTest07",
    "ANALYTICS_PSEUDONYM_KEY": "pseudonym-keyOfTheTest09",
    "ANALYTICS_PII_SPANS_KEY": "a-long-enough-spans-keyOfTheTest10",
}
"""What is secret in each variable: the whole of it, or a part."""
WRONG = "a-wrong-oneOfTheTest08"
ALL = [*SECRETS.values(), WRONG]
SEARCHED_ELSEWHERE = {"ANALYTICS_HISTORY_URL"}  # test_postgres_history searches for it, with a server of its own


class Echo(BaseHTTPRequestHandler):
    """A server that refuses everything and repeats in its answer what it was told, keys included."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = f'{{"error": {{"message": "Incorrect key provided: {" ".join(self.headers.values())}"}}}}'.encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = _refuse  # noqa: N815  (the names that http.server looks for)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """The address of a server that repeats what it is told."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def s3(tmp_path_factory) -> Iterator[S3Server]:
    """An S3 server that wants the keys."""
    key, secret = SECRETS["AWS_ACCESS_KEY_ID"], SECRETS["AWS_SECRET_ACCESS_KEY"]
    with S3Server(tmp_path_factory.mktemp("s3"), key=key, secret=secret) as server:
        yield server


@pytest.fixture(scope="module")
def stores(s3, tmp_path_factory) -> Iterator[dict[str, str]]:
    """That one, and a MongoDB server that wants a password, as the variables that name them."""
    folder = tmp_path_factory.mktemp("mongo")
    with MongoServer(folder) as server, MongoClient(server.uri) as client:
        client.admin.command("createUser", "analytics", pwd=SECRETS["ANALYTICS_MONGO_URI"], roles=["root"])
    with MongoServer(folder, "--auth") as mongo:
        yield {
            **s3.variables,
            "ANALYTICS_LAKE_URI": f"s3://{s3.bucket}/lake",
            "ANALYTICS_COMPUTE_LOGS_URI": f"s3://{s3.bucket}/logs",
            "ANALYTICS_MONGO_URI": mongo_uri(mongo.uri, SECRETS["ANALYTICS_MONGO_URI"]),
        }


def mongo_uri(uri: str, password: str, milliseconds: int = 3000) -> str:
    return uri.replace("mongodb://", f"mongodb://analytics:{quote(password, safe='')}@") + f"&timeoutMS={milliseconds}"


@pytest.fixture
def attempt(tmp_path, monkeypatch, capfd, caplog, echo) -> Callable[..., tuple[Outcome, str]]:
    """Run the whole graph over a day with some variables; return what came of it, and all that was said and shown."""
    monkeypatch.chdir(tmp_path)
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE"):  # the run sets them; this takes them back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def attempt(**variables: str) -> tuple[Outcome, str]:
        given = {
            "ANALYTICS_HOME": str(tmp_path / "home"),
            "ANALYTICS_START_DATE": DAY,
            "ANALYTICS_END_DATE": DAY,
            "ANALYTICS_ALERT_URLS": f"{echo.replace('http', 'json')}/{SECRETS['ANALYTICS_ALERT_URLS']}",
            "ANALYTICS_LLM_MODEL": "gpt-test",
            "ANALYTICS_LLM_BASE_URL": f"{echo}/v1",
            "ANALYTICS_LLM_API_KEY": SECRETS["ANALYTICS_LLM_API_KEY"],
            **{name: SECRETS[name] for name in ("ANALYTICS_PSEUDONYM_KEY", "ANALYTICS_PII_SPANS_KEY")},
            **variables,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings, outcome, said = load_settings(), Outcome(), []
        platform = Platform(settings)
        try:
            prepare(settings)
            definitions = build_definitions(platform)
            with open_instance(settings.dagster_home) as instance:
                run_range(definitions, EVERYTHING, DAY, DAY, outcome, instance=instance)
                said += [repr(entry) for run in outcome.runs for entry in instance.all_logs(run)]
            platform.alerts.raise_alert("run_failed", DAY, "a run failed", "\n".join(outcome.failures))
            said += platform.alerts.deliver().problems
            said += [reprs(platform, graph_resources(platform, [], None)), repr(definitions)]
        except UserError:
            said.append(traceback.format_exc())  # the daemon prints traces
        finally:
            platform.close()
        said += [*outcome.failures, *(line.says for line in examine(settings)), *capfd.readouterr(), caplog.text]
        return outcome, "\n".join(said)

    return attempt


def assert_nothing_shows(said: str, folder: Path) -> None:
    assert found_in(said.encode(errors="replace"), ALL) == []
    assert found_below(folder, ALL) == []


def test_the_search_covers_every_secret_setting():
    secret = {
        environment_name(name) for name, info in Settings.model_fields.items() if info.annotation == SecretStr | None
    }
    assert secret == {*SECRETS, *SEARCHED_ELSEWHERE}


@pytest.mark.parametrize("kind", ["text", "utf16", "quoted", "sqlite", "packed", "parquet", "duckdb"])
def test_the_search_finds_a_secret_that_was_written(kind, tmp_path):
    secret = SECRETS["AWS_SECRET_ACCESS_KEY"]
    path = tmp_path / f"file.{kind}"
    if kind in ("sqlite", "packed"):
        value = secret if kind == "sqlite" else zlib.compress(secret.encode())
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("create table t (v)")
            connection.execute("insert into t values (?)", [value])
            connection.commit()
    elif kind == "parquet":
        pq.write_table(pa.table({"text": [secret] * 9}), path, compression="zstd")
    elif kind == "duckdb":
        with duckdb.connect(path) as connection:
            connection.execute("create table t as select $1 as v", [secret])
    else:
        texts = {"text": secret.encode(), "utf16": secret.encode("utf-16"), "quoted": quote(secret, safe="").encode()}
        path.write_bytes(b"before " + texts[kind] + b" after")
    assert found_below(tmp_path, ALL) == [f"{path.name}: {secret}"]


def test_a_run_that_succeeds_shows_no_secret(stores, s3, attempt, tmp_path):
    outcome, said = attempt(**stores)
    assert [line for line in outcome.failures if "llm" not in line] == []
    assert outcome.tables["mongo/conversation_messages"].rows > 0
    assert_nothing_shows(said, tmp_path)
    with MongoClient(stores["ANALYTICS_MONGO_URI"]) as client:
        database = client["analytics"]
        stored = [raw for name in database.list_collection_names() for raw in database[name].find_raw_batches()]
    assert stored
    assert found_in(b"".join(stored), ALL) == []
    download(s3, tmp_path / "s3")
    assert found_below(tmp_path / "s3" / "lake", ALL) == []


def download(server: S3Server, folder: Path) -> None:
    client = server.client()
    for entry in client.list_objects_v2(Bucket=server.bucket)["Contents"]:
        path = folder / entry["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(client.get_object(Bucket=server.bucket, Key=entry["Key"])["Body"].read())


def wrong_mongo_password(stores: dict[str, str], _: str) -> dict[str, str]:
    right = quote(SECRETS["ANALYTICS_MONGO_URI"], safe="")
    return {"ANALYTICS_MONGO_URI": stores["ANALYTICS_MONGO_URI"].replace(right, WRONG)}


def silent_mongo(_: dict[str, str], __: str) -> dict[str, str]:
    uri = f"mongodb://127.0.0.1:{free_port()}/?directConnection=true"
    return {"ANALYTICS_MONGO_URI": mongo_uri(uri, SECRETS["ANALYTICS_MONGO_URI"], milliseconds=300)}


def wrong_s3_secret(stores: dict[str, str], _: str) -> dict[str, str]:
    s3 = {name: value for name, value in stores.items() if "MONGO" not in name}
    return {**s3, "AWS_SECRET_ACCESS_KEY": WRONG, "AWS_SESSION_TOKEN": SECRETS["AWS_SESSION_TOKEN"]}


def echoing_s3(stores: dict[str, str], echo: str) -> dict[str, str]:
    return {**wrong_s3_secret(stores, echo), "AWS_ENDPOINT_URL": echo}


def echoing_nocodb(_: dict[str, str], echo: str) -> dict[str, str]:
    token = {"NOCODB_TOKEN": SECRETS["NOCODB_TOKEN"], "NOCODB_MESSAGES_TABLE": "m"}
    return {"ANALYTICS_SOURCE": "nocodb", "NOCODB_URL": echo, **token}


@pytest.mark.parametrize(
    "trouble",
    [wrong_mongo_password, silent_mongo, wrong_s3_secret, echoing_s3, echoing_nocodb],
    ids=lambda f: f.__name__,
)
def test_a_run_that_fails_shows_no_secret(trouble, stores, attempt, echo, tmp_path):
    outcome, said = attempt(**trouble(stores, echo))
    assert outcome.failures
    assert_nothing_shows(said, tmp_path)
