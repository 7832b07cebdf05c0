"""What a command reads beside the stores: everything about it that can be checked before any work starts."""

from __future__ import annotations

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.insights.taxonomies.taxonomy import load_taxonomy
from analytics_platform.sources.locating import find_files
from analytics_platform.sources.mapping import load_mapping


def require_inputs(platform: Platform) -> None:
    """Refuse a wrong taxonomy, field mapping, source path, key, or file of the LLM.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    load_taxonomy(platform.settings.taxonomy)
    require_source(platform)
    if platform.llm.is_on:
        platform.llm.require_usable()
    _ = platform.cleaning


def require_source(platform: Platform) -> None:
    """Refuse a wrong field mapping and source files that do not exist.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    settings = platform.settings
    load_mapping(settings.source_mapping)
    if settings.source == "files":
        find_files(settings.source_path or "")


def require_llm(platform: Platform) -> None:
    """Refuse a wrong taxonomy, and a prompt, a price list or a tokenizer of the LLM that cannot be used.

    Raises:
        UserError: If no model is named; else naming the file and the place in it.
    """
    load_taxonomy(platform.settings.taxonomy)
    platform.llm.require_usable()
