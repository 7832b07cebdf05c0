"""Prompts: versioned template files in the folder ``prompts``, and the messages filled from them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import orjson

from analytics_platform.insights.llm.config import LlmError
from analytics_platform.insights.llm.transcript import Transcript
from analytics_platform.insights.taxonomies.taxonomy import OTHER, Taxonomy

FOLDER = Path(__file__).with_name("prompts")
Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """One version of the prompt, for one taxonomy.

    Args:
        name: Name of the file, without ``.md.j2``.
        taxonomy: Names the labels.

    Raises:
        LlmError: At the first use, if no prompt has this name.
    """

    name: str
    taxonomy: Taxonomy

    @cached_property
    def version(self) -> str:
        """Name of the file and 8 hexadecimal digits of its hash, so that an edited file is a new version."""
        return f"{self.name}-{hashlib.sha256(self._source.encode()).hexdigest()[:8]}"

    @cached_property
    def system(self) -> str:
        """The system message; the same for every conversation, so that endpoints can cache it."""
        return self._fill("system", topics=self.taxonomy.topics, intents=self.taxonomy.intents, other=OTHER)

    def user(self, transcript: Transcript) -> str:
        """Return the user message with the conversation."""
        return self._fill("user", transcript=transcript.text, was_cut=transcript.was_cut)

    def form(self, schema: dict[str, Any]) -> str:
        """Return the description of the answer's form, for endpoints that accept no schema."""
        return self._fill("form", schema=orjson.dumps(schema).decode())

    def correction(self, problem: str) -> str:
        """Return the message that states the fault of an answer and asks again."""
        return self._fill("correction", problem=problem)

    @cached_property
    def _source(self) -> str:
        path = FOLDER / f"{self.name}.md.j2"
        if not path.is_file():
            known = sorted(file.name.removesuffix(".md.j2") for file in FOLDER.glob("*.md.j2"))
            raise LlmError(f"prompt {self.name!r} is unknown; there are {', '.join(known)}")
        return path.read_text(encoding="utf-8")

    @cached_property
    def _template(self) -> jinja2.Template:
        # No autoescape, because a prompt is not HTML; the transcript is escaped already (see ``Transcript.text``).
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
        return environment.from_string(self._source)

    def _fill(self, block: str, **values: Any) -> str:
        return "".join(self._template.blocks[block](self._template.new_context(values)))
