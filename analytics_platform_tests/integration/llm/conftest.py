"""An OpenAI-compatible endpoint on a real socket that misbehaves by script, and conversations to ask it about."""

from __future__ import annotations

import datetime as dt
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from analytics_platform.insights.llm.config import LlmConfig
from analytics_platform.insights.llm.llm_client import LlmClient
from analytics_platform.insights.llm.llm_tier import LlmTier
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy, load_taxonomy
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform_tests.memory_llm_store import MemoryLlmStore

KEY = "sk-the-secret-key-0123456789"
MODEL = "gpt-4.1-mini"
DAY = dt.date(2006, 6, 1)

Step = Callable[["Handler", dict[str, Any]], None]
"""What the server does with one request for a chat completion."""


ENGLISH = {
    "Ich habe mein Passwort vergessen und kann mich nicht anmelden": "I forgot my password and cannot log in",
    "J'ai oublié mon mot de passe et je ne peux pas me connecter": "I forgot my password and I cannot log in",
    "Olvidé mi contraseña y no puedo iniciar sesión": "I forgot my password and cannot log in",
    "Mein Paket ist noch nicht angekommen": "My parcel has not arrived yet",
}
"""Texts and their translations; any other text is repeated in capitals."""


def good_answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer that fits. Labels point at the first message and quote its first word; names repeat the first term."""
    if "<messages>" in body["messages"][1]["content"]:
        return {
            "translations": [
                {"number": line["number"], "text": ENGLISH.get(line["text"], line["text"].upper())}
                for line in lines_of(body, "messages")
            ]
        }
    if "<topic>" in body["messages"][1]["content"]:
        about = " ".join(lines_of(body, "topic")[0]["terms"][0].split()[:3])[:30]
        return {"sentence": f"Customers write about {about}.", "name": f"About {about}"}
    first = transcript_of(body)[0]
    return {
        "reasons": [
            {"kind": "topic", "label": "audio", "message": first["number"], "quote": first["text"].split()[0]},
        ],
        "topics": [{"label": "networking", "confidence": 0.4}, {"label": "audio", "confidence": 0.9}],
        "intent": {"label": "report_problem", "confidence": 0.8},
        "sentiment": {"score": -0.5, "confidence": 0.7},
        "urgency": {"label": "high", "confidence": 0.6},
        "resolution": {"label": "unresolved", "confidence": 0.9},
    }


def transcript_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of the transcript that a request holds."""
    return lines_of(body, "transcript")


def lines_of(body: dict[str, Any], delimiter: str) -> list[dict[str, Any]]:
    """The lines that a request holds between delimiters."""
    shown = re.search(rf"<{delimiter}>\n(.*?)\n</{delimiter}>", body["messages"][1]["content"], re.S)
    return [json.loads(line) for line in shown[1].split("\n")]


def says(text: str, finish: str = "stop", **message: Any) -> Step:
    """Answer with that text."""

    def step(handler: Handler, body: dict[str, Any]) -> None:
        handler.complete(body, text, finish, **message)

    return step


def says_in_parts(handler: Handler, body: dict[str, Any]) -> None:
    """Answer well, in a list of parts with a thought before the text."""
    completion = handler.server.endpoint.completion(body, json.dumps(good_answer(body)), "stop")
    message = completion["choices"][0]["message"]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "{hm}"}]}
    message["content"] = [thought, {"type": "text", "text": message["content"]}]
    handler.send_json(completion)


def says_tokens(sent: Any, answered: Any) -> Step:
    """Answer well, and report these tokens."""

    def step(handler: Handler, body: dict[str, Any]) -> None:
        completion = handler.server.endpoint.completion(body, json.dumps(good_answer(body)), "stop")
        handler.server.endpoint.served.pop()
        completion["usage"] = {"prompt_tokens": sent, "completion_tokens": answered}
        handler.send_json(completion)

    return step


def says_with(change: Callable[[dict[str, Any]], None], wrap: Callable[[str], str] = str) -> Step:
    """Answer with a good answer that was changed, and its JSON wrapped."""

    def step(handler: Handler, body: dict[str, Any]) -> None:
        answer = good_answer(body)
        change(answer)
        handler.complete(body, wrap(json.dumps(answer, ensure_ascii=False)))

    return step


def good(handler: Handler, body: dict[str, Any]) -> None:
    """Answer well."""
    handler.complete(body, json.dumps(good_answer(body)))


def fails(status: int, message: str = "no", code: str | None = None, **headers: str) -> Step:
    """Answer with an error."""

    def step(handler: Handler, body: dict[str, Any]) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send_json({"error": {"message": message, "code": code}}, status, **names)

    return step


def stalls(seconds: float) -> Step:
    """Say nothing for a while, then hang up."""

    def step(handler: Handler, body: dict[str, Any]) -> None:
        handler.server.endpoint.woken.wait(seconds)
        handler.close_connection = True

    return step


def drips(handler: Handler, body: dict[str, Any]) -> None:
    """Send a byte now and then, so that no single wait for a byte is long."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


def resets(handler: Handler, body: dict[str, Any]) -> None:
    """Reset the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def sends_nested(handler: Handler, body: dict[str, Any]) -> None:
    """Answer with JSON nested deeper than can be read."""
    handler.send_raw(b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "application/json")


def sends_html(handler: Handler, body: dict[str, Any]) -> None:
    """Answer as a proxy does that has lost its way."""
    handler.send_raw(b"<html>Bad gateway</html>", "text/html")


def sends_broken_json(handler: Handler, body: dict[str, Any]) -> None:
    """Answer with a body that is no JSON, and says that it is."""
    handler.send_raw(b'{"choices": [', "application/json")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        endpoint: FakeEndpoint = self.server.endpoint
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        endpoint.authorizations.add(self.headers["Authorization"])
        if self.path == "/v1/chat/completions":
            body = json.loads(raw)
            endpoint.next_step(body)(self, body)
        elif self.path == "/v1/files":
            self.send_json(endpoint.keep_file(raw, self.headers))
        elif self.path == "/v1/batches":
            self.send_json(endpoint.start_batch(json.loads(raw)))
        else:
            self.send_json({"error": {"message": f"no {self.path}"}}, 404)

    def do_GET(self) -> None:
        endpoint: FakeEndpoint = self.server.endpoint
        path = self.path.partition("?")[0]
        if path == "/v1/batches":
            self.send_json({"object": "list", "data": list(endpoint.batches.values()), "has_more": False})
        elif path.startswith("/v1/batches/"):
            self.send_json(endpoint.look_at_batch(path.rpartition("/")[2]))
        else:
            self.send_raw(endpoint.files[path.split("/")[3]], "application/octet-stream")

    def complete(self, body: dict[str, Any], text: str | None, finish: str = "stop", **message: Any) -> None:
        """Send a chat completion."""
        self.send_json(self.server.endpoint.completion(body, text, finish, **message))

    def send_json(self, content: Any, status: int = 200, **headers: str) -> None:
        """Send JSON."""
        self.send_raw(json.dumps(content).encode(), "application/json", status, **headers)

    def send_raw(self, content: bytes, kind: str, status: int = 200, **headers: str) -> None:
        """Send anything."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@dataclass
class FakeEndpoint:
    """The server's memory: what it was asked, what it is to do, and what it counted.

    Attributes:
        bodies: Bodies of the requests for chat completions.
        served: (input, output, cached) tokens of each completion, in batches too.
        default: What it does when no script says otherwise.
        batch_steps: What it makes of a request of a batch, by a word of the conversation.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    served: list[tuple[int, int, int]] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    default: Step = good
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 0
    looks_until_over: int = 1
    batch_answer: Callable[[dict[str, Any]], str] = field(default=lambda body: json.dumps(good_answer(body)))
    woken: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    _scripts: dict[str, list[Step]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, word: str, *steps: Step) -> None:
        """Do these steps, one per request, for the conversation that holds the word; then as usual."""
        self._scripts[word] = list(steps)

    def next_step(self, body: dict[str, Any]) -> Step:
        with self._lock:
            self.bodies.append(body)
            for word, steps in self._scripts.items():
                if steps and word in body["messages"][1]["content"]:
                    return steps.pop(0)
            return self.default

    def completion(self, body: dict[str, Any], text: str | None, finish: str, **message: Any) -> dict[str, Any]:
        sent = sum(len(m["content"]) for m in body["messages"]) // 4
        usage = (sent, len(text or "") // 4, sent // 2)
        with self._lock:
            self.served.append(usage)
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, "refusal": None, **message},
                    "finish_reason": finish,
                }
            ],
            "usage": {
                "prompt_tokens": usage[0],
                "completion_tokens": usage[1],
                "total_tokens": usage[0] + usage[1],
                "prompt_tokens_details": {"cached_tokens": usage[2]},
            },
        }

    def keep_file(self, raw: bytes, headers: Message) -> dict[str, Any]:
        boundary = headers.get_boundary().encode()
        part = next(p for p in raw.split(b"--" + boundary) if b'name="file"' in p)
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        size = len(self.files[file_id])
        facts = {
            "bytes": size,
            "created_at": 0,
            "filename": "requests.jsonl",
            "purpose": "batch",
            "status": "processed",
        }
        return {"id": file_id, "object": "file", **facts}

    def start_batch(self, given: dict[str, Any]) -> dict[str, Any]:
        batch_id = f"batch_{len(self.batches)}"
        self.batches[batch_id] = {
            "id": batch_id, "object": "batch", "endpoint": given["endpoint"], "input_file_id": given["input_file_id"],
            "completion_window": "24h", "status": "in_progress", "created_at": 0, "metadata": given["metadata"],
        }  # fmt: skip
        return self.batches[batch_id]

    def look_at_batch(self, batch_id: str) -> dict[str, Any]:
        self.looks += 1
        batch = self.batches[batch_id]
        if batch["status"] == "in_progress" and self.looks >= self.looks_until_over:
            self._work_off(batch)
        return batch

    def _work_off(self, batch: dict[str, Any]) -> None:
        lines = []
        for line in self.files[batch["input_file_id"]].splitlines():
            request = json.loads(line)
            text = self.batch_answer(request["body"])
            response = {"status_code": 200, "body": self.completion(request["body"], text, "stop")}
            lines.append(
                json.dumps({"id": "r", "custom_id": request["custom_id"], "response": response, "error": None})
            )
        output = f"file-{len(self.files)}"
        self.files[output] = "\n".join(reversed(lines)).encode()
        batch |= {"status": "completed", "output_file_id": output}


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    """A server on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.endpoint = FakeEndpoint(url=f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.endpoint
    server.endpoint.woken.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture
def store() -> MemoryLlmStore:
    return MemoryLlmStore()


@pytest.fixture
def make_tier(endpoint: FakeEndpoint, taxonomy: Taxonomy, store: MemoryLlmStore) -> Iterator[Callable[..., LlmTier]]:
    """Make tiers of the endpoint, as one process after another would; closed at the end."""
    made: list[LlmClient] = []

    def make(shared: Any = None, **changes: Any) -> LlmTier:
        values = {"model": MODEL, "base_url": endpoint.url, "api_key": SecretStr(KEY), "backoff_seconds": 0.01}
        made.append(LlmClient(LlmConfig(**values | changes), shared or store))
        return LlmTier(made[-1], taxonomy)

    yield make
    for client in made:
        client.close()


def messages_of(*conversations: str | Sequence[tuple[str, str]], day: dt.date = DAY, language: str = "en") -> pa.Table:
    """A MESSAGES table; a conversation is a list of (role, text), or one text by the customer that also names it."""
    rows = []
    for conversation in conversations:
        turns = [("user", conversation)] if isinstance(conversation, str) else conversation
        name = turns[0][1].split()[0]
        for position, (role, text) in enumerate(turns):
            rows.append(
                {
                    "date": day,
                    "conversation_id": name,
                    "message_id": f"{name}-{position}",
                    "position": position,
                    "role": role,
                    "user_id": None,
                    "agent_id": None,
                    "model": None,
                    "channel": None,
                    "time_source": "message",
                    "sent_at": dt.datetime(2006, 6, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=position),
                    "text": text,
                    "code": [],
                    "pii": [],
                    "language": language,
                    "character_count": len(text),
                    "word_count": 1,
                    "token_count": 1,
                    "response_seconds": None,
                }
            )
    return MESSAGES.from_rows(rows)


@pytest.fixture
def steps() -> Any:
    """What the server can be told to do, and constants: tests cannot import this module by name."""
    return SimpleNamespace(**globals())


@pytest.fixture
def build() -> Callable[..., pa.Table]:
    return messages_of
