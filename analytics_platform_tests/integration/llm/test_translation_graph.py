"""Translations in the graph: the lake, MongoDB, the figures, the check and the command, on and off."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
import time
import uuid

import orjson
import pytest
from typer.testing import CliRunner

from analytics_platform.cli.app import app
from analytics_platform.cli.commands import run_graph
from analytics_platform.cli.doctor import examine
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.required_inputs import require_inputs
from analytics_platform.settings.loader import load_settings
from analytics_platform.storage.mongo import EmbeddedMongo, MongoLlmStore, MongoStore

pytestmark = pytest.mark.integration

DAY = "2024-03-04"
GERMAN = "Ich habe mein Passwort vergessen und kann mich nicht anmelden"
FRENCH = "J'ai oublié mon mot de passe et je ne peux pas me connecter"
PARCEL = "Mein Paket ist noch nicht angekommen"
SELECTION = '+key:"translation_*" or +key:"mongo/conversation_translations"'
TALKS = {
    "de1": [("user", GERMAN), ("agent", "Please try again, and tell us whether it works now")],
    "de2": [("user", PARCEL), ("agent", "We are sorry, it comes tomorrow"), ("user", "12345")],
    "fr1": [("user", FRENCH)],
    "en1": [("user", "The printer does not print any more")],
}


@pytest.fixture
def home(tmp_path, monkeypatch, endpoint, steps):
    """A home whose source has conversations in three languages on one day."""
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "talks.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["conversation_id", "message_id", "role", "sent_at", "text"])
        for name, turns in TALKS.items():
            for place, (role, text) in enumerate(turns):
                rows.writerow([name, f"{name}-{place}", role, f"{DAY}T10:0{place}:00Z", text])
    variables = {
        "HOME": tmp_path / "home", "SOURCE": "files", "SOURCE_PATH": tmp_path / "talks.csv",
        "START_DATE": DAY, "END_DATE": DAY, "LLM_MODEL": steps.MODEL, "LLM_BASE_URL": endpoint.url,
        "LLM_API_KEY": steps.KEY, "TRANSLATE_TO": "en", "TAXONOMY": "demo",
    }  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(f"ANALYTICS_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", "")  # commands set it


def run():
    """Bring the day up to date; return the outcome and the stored tables."""
    platform = Platform(load_settings())
    day = dt.date.fromisoformat(DAY)
    try:
        outcome, _ = run_graph(platform, day, day, SELECTION, quiet=True)
        names = ("message_translations", "translation_failures", "translation_languages")
        tables = {name: platform.lake.read(name, DAY).to_pylist() for name in names}
        tables["mongo"] = platform.mongo.read("conversation_translations", DAY).to_pylist()
    finally:
        platform.close()
    assert outcome.failures == []
    return outcome, tables


def asked_to_translate(endpoint):
    return [body for body in endpoint.bodies if "<messages>" in body["messages"][1]["content"]]


def invoke(*words):
    return CliRunner().invoke(app, ["translation", *words], catch_exceptions=False)


def test_translations_are_stored_counted_and_shown(home, endpoint, steps):
    outcome, tables = run()
    rows = {row["message_id"]: row for row in tables["message_translations"]}
    assert {name: row["text"] for name, row in rows.items()} == {
        "de1-0": steps.ENGLISH[GERMAN],
        "de2-0": steps.ENGLISH[PARCEL],
        "fr1-0": steps.ENGLISH[FRENCH],
    }
    assert len(asked_to_translate(endpoint)) == 3
    assert {row["message_id"]: row for row in tables["mongo"]} == rows
    assert tables["translation_failures"] == outcome.warnings == []
    german, french = tables["translation_languages"]
    assert (german["source_language"], german["message_count"], german["translated_share"]) == ("de", 2, 1.0)
    assert (french["source_language"], french["message_count"]) == ("fr", 1)
    assert min(german["quality_p50"], french["quality_p50"]) > 0.3
    assert german["cost_usd"] > french["cost_usd"] > 0

    lines = invoke("de1").stdout.splitlines()
    assert [line.split()[1:3] for line in lines[:1]] == [["user", "de"]]
    assert lines[0].endswith(GERMAN)
    assert lines[1].split()[:4] == ["en", "I", "forgot", "my"]
    assert lines[-1] == f"1 of 2 messages translated; translation is on, into en by {steps.MODEL}"
    shown = orjson.loads(invoke("de2", "--date", DAY, "--json").stdout)
    assert shown["text"].splitlines() == [
        "user: My parcel has not arrived yet",
        "agent: We are sorry, it comes tomorrow",
        "user: 12345",
    ]
    assert shown["messages"][0]["translation"] == steps.ENGLISH[PARCEL]

    asked = len(endpoint.bodies)
    again, _ = run()
    assert again.runs == []
    assert len(endpoint.bodies) == asked


def test_a_spent_budget_leaves_messages_to_the_next_run_which_is_told(home, endpoint, monkeypatch):
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_TOKENS", "1000")
    outcome, tables = run()
    left = tables["translation_failures"]
    assert {row["reason"] for row in left} == {"budget"}
    assert len(left) + len(tables["message_translations"]) == 3
    [told] = outcome.warnings
    assert told.startswith(f"message_translations: {len(left)} message")
    assert told.endswith(f"no answer: {len(left)} budget spent; see the table translation_failures")
    assert "not translated: budget" in invoke(left[0]["conversation_id"]).stdout
    monkeypatch.delenv("ANALYTICS_LLM_BUDGET_TOKENS")
    outcome, tables = run()
    assert (len(tables["message_translations"]), outcome.warnings) == (3, [])


@pytest.mark.parametrize("missing", ["ANALYTICS_TRANSLATE_TO", "ANALYTICS_LLM_MODEL"])
def test_without_a_language_or_a_model_it_is_off_and_says_so(home, endpoint, monkeypatch, missing):
    monkeypatch.delenv(missing)
    _, tables = run()
    assert all(rows == [] for rows in tables.values())
    assert asked_to_translate(endpoint) == []
    (line,) = [line for line in examine(load_settings()) if line.what == "translations"]
    assert line.ok
    assert line.says.startswith("off (")
    assert missing in line.says
    assert "0 of 2 messages translated; translation is off" in invoke("de1").stdout


def test_translations_and_names_of_topics_have_models_of_their_own(home, monkeypatch):
    monkeypatch.setenv("ANALYTICS_LLM_NAMING_MODEL", "gpt-4.1-nano")
    monkeypatch.setenv("ANALYTICS_LLM_TRANSLATION_MODEL", "gpt-4.1")
    platform = Platform(load_settings())
    assert platform.translations.state == "on, into en by gpt-4.1"
    assert platform.topic_naming.state == "on, in en, by gpt-4.1-nano"
    require_inputs(platform)
    monkeypatch.setenv("ANALYTICS_LLM_BUDGET_USD", "1")
    monkeypatch.setenv("ANALYTICS_LLM_TRANSLATION_MODEL", "somebody-elses-model")
    with pytest.raises(UserError, match="price of model 'somebody-elses-model' is unknown"):
        require_inputs(Platform(load_settings()))


@pytest.mark.parametrize("code", ["english", "xx", "deu", "iw"])
def test_a_wrong_language_is_refused_before_any_work(home, monkeypatch, code):
    monkeypatch.setenv("ANALYTICS_TRANSLATE_TO", code)
    with pytest.raises(UserError, match=r"ANALYTICS_TRANSLATE_TO.*ISO 639-1"):
        require_inputs(Platform(load_settings()))


def test_an_empty_language_is_none(home, monkeypatch):
    monkeypatch.setenv("ANALYTICS_TRANSLATE_TO", "")
    assert load_settings().llm_translate_to is None


def test_controls_in_a_translation_do_not_reach_the_terminal(home, endpoint, steps):
    text = "I forgot my password \u202e\u001b[31m and cannot log in"
    endpoint.on("Passwort", steps.says(orjson.dumps({"translations": [{"number": 1, "text": text}]}).decode()))
    run()
    shown = invoke("de1").stdout
    assert "\u202e" not in shown
    assert "\x1b" not in shown


KILLED = """
import sys
import pyarrow.parquet as pq
from pydantic import SecretStr
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.insights.llm.translating.quality_estimate import STATIC_SCALE, QualityEstimate
from analytics_platform.insights.llm.translating.translator import Translator
from analytics_platform.storage.mongo import MongoLlmStore, MongoStore
url, uri, name, path = sys.argv[1:]
config = LlmConfig(model="gpt-4.1-mini", base_url=url, api_key=SecretStr("k"), concurrency=2)
client = LlmClient(config, MongoLlmStore(MongoStore(uri, name)))
Translator(client, "en", QualityEstimate(STATIC_SCALE, None, None)).translate(pq.read_table(path))
"""


def test_what_was_translated_before_a_kill_is_not_asked_again(endpoint, build, steps, tmp_path):
    import pyarrow.parquet as pq
    from pydantic import SecretStr

    from analytics_platform.insights.llm.config import LlmConfig
    from analytics_platform.insights.llm.llm_client import LlmClient
    from analytics_platform.insights.llm.translating.quality_estimate import STATIC_SCALE, QualityEstimate
    from analytics_platform.insights.llm.translating.translator import Translator
    from analytics_platform.insights.vectors.static_multilingual import static_encoder

    def slow(handler, body):
        time.sleep(0.05)
        steps.good(handler, body)

    endpoint.default = slow
    messages = build(*(f"Fall{n} ist noch offen" for n in range(40)), language="de")
    pq.write_table(messages, tmp_path / "messages.parquet")
    name = f"test_{uuid.uuid4().hex}"
    with EmbeddedMongo(tmp_path / "mongo") as uri, MongoStore(uri, name) as mongo:
        command = [sys.executable, "-c", KILLED, endpoint.url, uri, name, str(tmp_path / "messages.parquet")]
        with subprocess.Popen(command) as process:
            deadline = time.monotonic() + 60
            while len(endpoint.served) < 10 and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
        assert 10 <= len(endpoint.bodies) < 40
        config = LlmConfig(model=steps.MODEL, base_url=endpoint.url, api_key=SecretStr("k"))
        client = LlmClient(config, MongoLlmStore(mongo))
        try:
            estimate = QualityEstimate(STATIC_SCALE, static_encoder, lambda texts: texts)
            assert Translator(client, "en", estimate).translate(messages).translations.num_rows == 40
        finally:
            client.close()
        assert len(endpoint.bodies) <= 42  # those under way when it was killed, at most two, are asked again
