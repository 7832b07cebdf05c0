"""What a command reads beside the stores: everything about it that can be checked before any work starts."""

from __future__ import annotations

from analytics_platform.defs.resources import Platform
from analytics_platform.insights.taxonomy import load_taxonomy
from analytics_platform.sources.locating import find_files
from analytics_platform.sources.mapping import load_mapping


def require_inputs(platform: Platform) -> None:
    """Refuse a wrong taxonomy, a wrong field mapping, source files that do not exist, and keys that cannot be used.

    Raises:
        UserError: Naming the file and the place in it, or the variable.
    """
    settings = platform.settings
    load_taxonomy(settings.taxonomy)
    load_mapping(settings.source_mapping)
    if settings.source == "files":
        find_files(settings.source_path or "")
    _ = platform.cleaning
