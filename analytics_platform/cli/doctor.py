"""Examines the configuration and the reachability of each part, one line per part; secrets are masked.

The examination changes nothing: it makes no folder, stages no source file, and starts no embedded server without data.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.operations.discovering.unknown_topics import tell_unknown_topics
from analytics_platform.operations.required_inputs import require_inputs
from analytics_platform.settings.loader import Settings
from analytics_platform.sources.file_reading.file_source import FileSource
from analytics_platform.storage.mongo import server_program
from analytics_platform.system.home import restrict_new_files, too_open
from analytics_platform.system.plain_text import counted

EXPECTED = (UserError, OSError, RuntimeError, ValueError, LookupError)
"""Errors of an unreachable or misconfigured part. Any other error is a bug and is raised."""


INPUTS = "inputs"
"""Name of the part whose faults `analytics run` refuses before any work."""


@dataclass(frozen=True)
class Examination:
    """One line of the examination.

    Attributes:
        what: Name of the part.
        ok: Whether the part works.
        says: The result in one line, without secrets.
        refusal: The error with which `analytics run` would refuse to begin; None if it would begin.
    """

    what: str
    ok: bool
    says: str
    refusal: UserError | None = None


def examine(settings: Settings) -> Iterator[Examination]:
    """Yield one line per part; a part that does not answer gives a line, not an error.

    Args:
        settings: The settings.
    """
    restrict_new_files(settings.home_access)  # an embedded server that it starts writes to its data
    platform = Platform(settings, stages=False)
    parts: dict[str, Callable[[Platform], str]] = {
        "versions": _versions,
        "home": _home,
        INPUTS: _inputs,
        "source": _source,
        "lake": _lake,
        "mongo": _mongo,
        "warehouse": _warehouse,
        "insights": _insights,
        "alerts": _alerts,
    }
    if settings.llm_model:
        parts["llm"] = _llm
    parts["translations"] = lambda platform: platform.translations.state
    if settings.training or settings.corrections or settings.nocodb_corrections_table:
        parts["labels"] = _labels
    if settings.topics or platform.has_documents:
        parts["topics"] = _topics
    try:
        for what, ask in parts.items():
            try:
                yield Examination(what, ok=True, says=ask(platform))
            except EXPECTED as error:
                faults = error.faults if isinstance(error, UserError) else str(error).splitlines()
                refusal = error if what == INPUTS and isinstance(error, UserError) else None
                yield Examination(
                    what, ok=False, says="; ".join(" ".join(line.split()) for line in faults), refusal=refusal
                )
    finally:
        platform.close()


def _versions(_: Platform) -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("dagster", "dbt-core", "duckdb", "pyarrow", "pymongo"))


def _home(platform: Platform) -> str:
    home, access = platform.settings.home, platform.settings.home_access
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    warning = too_open(home, access)
    summary = f"{home}{'' if home.exists() else ' (does not exist yet)'}, {free:.0f} GB free"
    return f"{summary}; {warning}" if warning else summary


def _inputs(platform: Platform) -> str:
    require_inputs(platform)
    files = ", files of the LLM" if platform.llm.is_on else ""
    return f"taxonomy, engine, folders, field mapping, source files{files} and keys can be used"


def _source(platform: Platform) -> str:
    if isinstance(platform.source, FileSource):
        return f"{platform.source.name}: {platform.source.glance()}"
    days = sorted(platform.source.days())
    if not days:
        return f"{platform.source.name}: no rows"
    return f"{platform.source.name}: {counted(len(days), 'day')} with rows, {days[0]} to {days[-1]}"


def _lake(platform: Platform) -> str:
    stored = platform.lake.keys("conversations")
    span = f", {stored[0]} to {stored[-1]}" if stored else ""
    shared = f"; shared by machines: {platform.lake.leases.describe()}" if platform.lake.leases else ""
    return f"{platform.settings.lake}: {counted(len(stored), 'day')} of conversations{span}{shared}"


def _mongo(platform: Platform) -> str:
    settings = platform.settings
    if not settings.has_mongo:
        return "off (ANALYTICS_MONGO_URI=off)"
    which = "server of ANALYTICS_MONGO_URI" if settings.mongo_uri else "embedded server"
    if not settings.mongo_uri and not settings.mongo_dir.exists():
        return f"{which}, no data yet ({server_program()})"
    stored = platform.mongo.keys("conversation_analytics")
    limit = f", at most {settings.mongo_days:,} (ANALYTICS_MONGO_DAYS)" if settings.mongo_days else ""
    return f"{which}, database {settings.mongo_database}: {counted(len(stored), 'day')} of conversations{limit}"


def _warehouse(platform: Platform) -> str:
    path: Path = platform.settings.warehouse_path
    rows = platform.marts.warehouse.rows()
    return (
        f"{path}: {counted(sum(rows.values()), 'row')} in {counted(len(rows), 'table')}"
        if rows
        else f"{path}: not built yet"
    )


def _insights(platform: Platform) -> str:
    engine = platform.insights.engine
    parts = ", ".join(platform.settings.taxonomy_parts)
    return f"tier {engine.tier.name} on {engine.device}, version {engine.version}, taxonomy {parts}"


def _labels(platform: Platform) -> str:
    training, rows = platform.training(), platform.corrections.rows
    texts = sum(map(len, training.texts.values()))
    origins = ", ".join(f"{count:,} of {origin}" for origin, count in Counter(row["origin"] for row in rows).items())
    taught = f"{counted(texts, 'labelled text')}, {counted(len(training.conversations), 'labelled conversation')}"
    return f"{taught}, {counted(len(rows), 'correction')}{f' ({origins})' if origins else ''}"


def _topics(platform: Platform) -> str:
    curation = platform.topics.curation
    unknown = tell_unknown_topics(platform.lake, curation)
    said = f"{counted(len(curation.topics), 'topic')} and {counted(len(curation.parents), 'parent')} changed by people"
    return "; ".join(filter(None, [said, unknown, *curation.problems]))


def _alerts(platform: Platform) -> str:
    channels = platform.alerts.channels
    return "; ".join(channel.name for channel in channels) or "to the log only (ANALYTICS_ALERT_URLS is unset)"


def _llm(platform: Platform) -> str:
    settings, key = platform.settings, platform.secret("llm_api_key")
    host = urlsplit(settings.llm_base_url).netloc
    return f"{settings.llm_model} at {host}, {'with a' if key else 'without a'} key; no request was sent"
