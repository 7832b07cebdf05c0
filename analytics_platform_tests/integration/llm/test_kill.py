"""A run that is killed has paid for nothing twice."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid

import pytest

from analytics_platform.storage.mongo import EmbeddedMongo, MongoLlmStore, MongoStore

pytestmark = pytest.mark.integration

RUN = """
import sys
import pyarrow.parquet as pq
from pydantic import SecretStr
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.insights.llm.llm_tier import LlmTier
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.storage.mongo import MongoLlmStore, MongoStore
url, uri, name, path = sys.argv[1:]
config = LlmConfig(model="gpt-4.1-mini", base_url=url, api_key=SecretStr("k"), concurrency=2)
client = LlmClient(config, MongoLlmStore(MongoStore(uri, name)))
LlmTier(client, load_taxonomy()).label_conversations(pq.read_table(path))
"""


def test_what_was_answered_before_a_kill_is_not_asked_again(endpoint, make_tier, build, steps, tmp_path):
    import pyarrow.parquet as pq

    def slow(handler, body):
        time.sleep(0.05)
        steps.good(handler, body)

    endpoint.default = slow
    messages = build(*(f"talk{n} about sound" for n in range(40)))
    pq.write_table(messages, tmp_path / "messages.parquet")
    name = f"test_{uuid.uuid4().hex}"
    with EmbeddedMongo(tmp_path / "mongo") as uri, MongoStore(uri, name) as mongo:
        command = [sys.executable, "-c", RUN, endpoint.url, uri, name, str(tmp_path / "messages.parquet")]
        with subprocess.Popen(command) as process:
            deadline = time.monotonic() + 60
            while len(endpoint.served) < 10 and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
        assert 10 <= len(endpoint.bodies) < 40
        store = MongoLlmStore(mongo)
        outcome = make_tier(store).label_conversations(messages)
        assert outcome.insights.num_rows == 40
        assert len(endpoint.bodies) <= 42  # those under way when it was killed, at most two, are asked again
        assert len(store.calls(steps.DAY)) >= 40
