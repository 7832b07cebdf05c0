"""The work of `evaluate` and `llm-cost`, which ask the classifiers or the LLM's price list, and not the graph."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, cast

from analytics_platform.cli.console import stage_progress
from analytics_platform.cli.requested_days import requested_days
from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.insights.encoders.device import DeviceChoice
from analytics_platform.insights.quality.evaluate import evaluate, evaluate_taxonomy
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.model.tables.topic_tables import TOPIC_EPOCHS
from analytics_platform.operations.required_inputs import require_llm
from analytics_platform.settings.loader import Settings
from analytics_platform.settings.validators import split_parts
from analytics_platform.storage.partitions import PartitionStream
from analytics_platform.system.home import open_home


def score(
    train: Path, test: Path, tier: str, device: DeviceChoice, *, whole: bool = False, quiet: bool = False
) -> dict[str, object]:
    """Fit the classifier on one file and score another; see ``insights.quality.evaluate``.

    Raises:
        UserError: If a file cannot be used, or the tier or the device is not available.
    """
    with stage_progress(quiet=quiet) as on_stage:
        return evaluate(train, test, tier, device=device, whole=whole, on_stage=on_stage)


def score_taxonomy(
    settings: Settings,
    taxonomy: str | None,
    test: Path,
    tier: str,
    kind: str,
    device: DeviceChoice,
    *,
    quiet: bool = False,
) -> dict[str, object]:
    """Label the texts of a file by a taxonomy; see ``insights.quality.evaluate.evaluate_taxonomy``.

    Raises:
        UserError: If the file or the taxonomy cannot be used, the kind is unknown, or the tier is not available.
    """
    try:
        parts = settings.taxonomy_parts if taxonomy is None else split_parts(taxonomy)
    except ValueError as error:
        raise UserError(f"--taxonomy {error}") from None
    if not parts:
        raise UserError("--taxonomy names no pack and no file; give some, such as general,my.yaml")
    if kind not in ("topic", "intent", "sentiment"):
        raise UserError(f"--kind {kind} is unknown; use topic, intent or sentiment")
    with stage_progress(quiet=quiet) as on_stage:
        return evaluate_taxonomy(parts, test, tier, cast(Kind, kind), device=device, on_stage=on_stage)


def price_llm(settings: Settings, first: dt.date | None, last: dt.date | None) -> dict[str, Any]:
    """Return the estimated requests, tokens and cost of a range of days; the LLM is not called.

    The figures of translations begin with ``translate_``; they are missing while translation is off. Those of names of
    discovered topics begin with ``naming_``; they are of all topics, and missing while none are stored.

    Raises:
        UserError: If no messages are stored for these days.
    """
    platform = Platform(settings)
    try:
        require_llm(platform)
        open_home(settings.home, settings.home_access)
        messages = PartitionStream(platform.lake, "messages", requested_days(platform, first, last))
        plans = [platform.llm.plan(table) for table in messages.values()]
        translating = [platform.translations.plan(table) for table in messages.values() if platform.translations.is_on]
        epochs = platform.lake.read(TOPIC_EPOCHS.name, "") if platform.lake.info(TOPIC_EPOCHS.name, "") else None
        naming = [platform.topic_naming.plan(epochs)] if epochs is not None else []
    finally:
        platform.close()
    if not plans:
        raise UserError("no messages are stored for these days; run `analytics run --select '*messages'` first")
    figures = asdict(reduce(add, plans))
    for prefix, further in (("translate", translating), ("naming", naming)):
        total = asdict(reduce(add, further)) if further else {}
        figures |= {f"{prefix}_{name}": figure for name, figure in total.items()}
    return figures
