"""Prompts: versioned template files in the folder ``prompts``, and the messages filled from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import orjson

from analytics_platform.insights.llm.config import LlmError

FOLDER = Path(__file__).with_name("prompts")
Message = dict[str, str]


@dataclass(frozen=True)
class Prompt:
    """One version of a prompt.

    Args:
        name: Name of the file, without ``.md.j2``.
        values: Values of the system message.

    Raises:
        LlmError: At the first use, if no prompt has this name.
    """

    name: str
    values: Mapping[str, Any]

    @cached_property
    def version(self) -> str:
        """Name of the file and 8 hexadecimal digits of its hash, so that an edited file is a new version."""
        return f"{self.name}-{hashlib.sha256(self._source.encode()).hexdigest()[:8]}"

    def read_now(self) -> Prompt:
        """Return the prompt after it was read and filled, so that an unusable one is refused before it is needed.

        Raises:
            LlmError: If the prompt cannot be read.
        """
        self.system  # noqa: B018  (reading it is the purpose)
        return self

    @cached_property
    def system(self) -> str:
        """The system message; the same for every question, so that endpoints can cache it."""
        return self._fill("system", **self.values)

    def user(self, **shown: Any) -> str:
        """Return the user message with what the question shows."""
        return self._fill("user", **shown)

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
        # No autoescape, because a prompt is not HTML; texts of people are escaped already (see ``json_line``).
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
        return environment.from_string(self._source)

    def _fill(self, block: str, **values: Any) -> str:
        return "".join(self._template.blocks[block](self._template.new_context(values)))
