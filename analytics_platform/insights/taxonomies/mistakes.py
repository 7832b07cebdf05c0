"""Mistakes in a taxonomy's YAML in plain English, each with its place: pydantic's errors, and those of own checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import shorten
from typing import Any

from analytics_platform.system.yaml_file import Location

_WORDS_FOR: dict[str, str] = {
    "model_type": "must be lines of `key: value`",
    "dict_type": "must be lines of `key: value`",
    "tuple_type": "must be a list",
    "too_short": "must have at least one item",
    "missing": "is missing",
    "extra_forbidden": "is no known field",
    "string_type": "must be a text, not {value}; put it in quotes",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "{value} must be of small letters, digits and _ and begin with a letter, such as {name}",
    "literal_error": "{value} is none of {expected}",
    "bool_type": "must be true or false, not {value}",
    "bool_parsing": "must be true or false, not {value}",
    "float_type": "must be a number, not {value}",
    "float_parsing": "must be a number, not {value}",
    "greater_than_equal": "must be at least {ge:g}, not {value}",
    "less_than_equal": "must be at most {le:g}, not {value}",
}
"""Plain-English messages for pydantic's error types; the fields are those of the error, and ``value`` and ``name``."""
_LONGEST_VALUE = 60


class MisplacedError(ValueError):
    """Mistakes in items of a list that only a check of the whole list or taxonomy can find.

    Attributes:
        mistakes: Location within the list and description of each mistake.
    """

    def __init__(self, mistakes: Sequence[tuple[Location, str]]) -> None:
        super().__init__("; ".join(message for _, message in mistakes))
        self.mistakes = mistakes


def refuse(mistakes: Iterable[tuple[Location, str]]) -> None:
    """Raise ``MisplacedError`` if there is a mistake."""
    if found := list(mistakes):
        raise MisplacedError(found)


def mistakes_of(item: Any) -> Iterator[tuple[Location, str]]:
    """Yield location and description of each mistake in a pydantic error."""
    # pydantic counts only valid items as present; the invalid items have errors of their own.
    if item["type"] == "too_short" and item["input"]:
        return
    cause = item.get("ctx", {}).get("error")
    message = _WORDS_FOR.get(item["type"], "{msg}").format(
        **item.get("ctx", {}),
        msg=str(item["msg"]).removeprefix("Value error, "),
        value=shorten(repr(item["input"]), _LONGEST_VALUE, placeholder="…"),
        name=_as_name(str(item["input"])),
    )
    for location, told in cause.mistakes if isinstance(cause, MisplacedError) else [((), message)]:
        yield (*item["loc"], *location), told


def _as_name(text: str) -> str:
    """Return a name of the form of labels that resembles a text: ``my_label`` for "My label!"."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name if re.match(r"[a-z]", name) else f"label_{name}".rstrip("_")
