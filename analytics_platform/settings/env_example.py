"""Renders ``.env.example`` from the settings; ``make env-example`` runs this module."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from analytics_platform.settings.llm_settings import LlmSettings
from analytics_platform.settings.loader import PROJECT_ROOT, Settings, environment_name

_HEADER = """\
# Copy to .env and uncomment what you change; the environment wins over this file, an empty value counts as unset.
# Made by `make env-example` from analytics_platform/settings/.
"""


def env_example() -> str:
    """Return every setting as a commented line with its default, below its description."""
    fields = sorted(Settings.model_fields.items(), key=lambda field: field[0] in LlmSettings.model_fields)  # LLM last
    entries = [_entry(name, info) for name, info in fields]
    return "\n".join([_HEADER, *entries])


def _entry(field: str, info: FieldInfo) -> str:
    secret = " Secret." if info.annotation == SecretStr | None else ""
    return f"# {info.description}{_choices(info)}{secret}\n#{environment_name(field)}={_shown(info.default)}\n"


def _choices(info: FieldInfo) -> str:
    """Return a sentence that lists the allowed words of a setting, unless its description names each of them."""
    words = [str(word) for word in get_args(info.annotation)] if get_origin(info.annotation) is Literal else []
    if all(word in (info.description or "") for word in words):
        return ""
    return f" One of {', '.join(words)}."


def _shown(default: object) -> str:
    """Return a default as a person would write it: empty for none, and relative for a path in the project."""
    if default is None or default == ():
        return ""
    if isinstance(default, Path) and default.is_relative_to(PROJECT_ROOT):
        return str(default.relative_to(PROJECT_ROOT))
    return str(default)


if __name__ == "__main__":
    sys.stdout.write(env_example())
