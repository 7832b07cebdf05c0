"""The check ``labels_are_steady``, which compares the labels of a run's days with the 28 stored days before.

It warns and stops nothing, because the subjects of customers may really have changed. ``insights.quality.drift`` holds
the measures.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.defs.assets.insight_assets import conversation_insights
from analytics_platform.defs.assets.topic_assets import conversation_topics
from analytics_platform.defs.checks.declarations import days_of_run, nothing_compared
from analytics_platform.errors import UserError
from analytics_platform.insights.quality.drift import CONFIDENCE, FEWEST, LABELS, Change, count_labels, find_changes
from analytics_platform.storage.partitions import PartitionStore
from analytics_platform.system.plain_text import on_one_line, plain_metadata

_PAST_DAYS = 28
_LABELS_SHOWN = 10
_TOPICS_NAMED = 3
_NO_TOPIC = "no topic"
_UNREADABLE = (UserError, KeyError, pa.ArrowInvalid)
"""Errors of a day that is not stored, is damaged, was just replaced, or was stored before a column existed."""
_VERSIONS = ("taxonomy_version", "tier")
"""Columns that must be equal on both sides: another taxonomy or tier gives other labels without any drift."""


@dg.asset_check(
    asset=conversation_insights.key, additional_deps=[conversation_topics.key], required_resource_keys={"stores"}
)
def labels_are_steady(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Warns when shares of topics or intents or the confidence differ beyond chance from the 28 stored days before."""
    store: PartitionStore = context.resources.stores("lake")
    stored, wanted = store.keys(conversation_insights.recipe.table.name), days_of_run(context)
    chosen = frozenset(stored[-1:] if wanted is None else wanted)
    days = [day for day in stored if day in chosen]
    past = [day for day in stored if days and day < days[0]][-_PAST_DAYS:]
    now, (before, unread) = _read(store, days), _read_what_can_be(store, past)
    if now.num_rows:
        taxonomy = now["taxonomy_version"][-1].as_py()
        now, before = (side.filter(pc.equal(side["taxonomy_version"], taxonomy)) for side in (now, before))
        # Within a day the tiers differ if the engine labelled conversations without an answer of the LLM.
        ((tier, _),) = Counter(now["tier"].to_pylist()).most_common(1)
        now, before = (side.filter(pc.equal(side["tier"], tier)) for side in (now, before))
    facts = {
        "conversations_now": now.num_rows,
        "conversations_before": before.num_rows,
        "days_before": len(past) - len(unread),
        "days_not_read": unread,
    }
    if min(now.num_rows, before.num_rows) < FEWEST:
        needed = (
            f"the days of the run and the days before them need {FEWEST} conversations each, of one taxonomy and tier"
        )
        return nothing_compared(needed, facts)
    changes = find_changes(now, before)
    drifted = [str(change) for change in changes if change.drifted]
    found_now, found_before = (_discovered(store, those) for those in (days, past))
    has_topics = min(len(found_now), len(found_before)) > 0
    moved = _moved(found_now, found_before) if drifted and has_topics else ""
    return dg.AssetCheckResult(
        passed=not drifted,
        severity=dg.AssetCheckSeverity.WARN,
        description=None
        if not drifted
        else f"Read the conversations of the labels whose shares changed most{moved}; see Drift in docs/operations.md.",
        metadata={
            "problems": plain_metadata(drifted),
            "problem_count": len(drifted),
            **facts,
            "changes": dg.MetadataValue.table([_change_record(change) for change in changes]),
            **{f"shares_of_{column}": _share_table(now[column], before[column]) for column in LABELS},
            **({"shares_of_discovered_topic": _share_table(found_now, found_before)} if has_topics else {}),
        },
    )


def _read(store: PartitionStore, days: Sequence[str]) -> pa.Table:
    table, columns = conversation_insights.recipe.table, [*LABELS, CONFIDENCE, *_VERSIONS]
    empty = table.empty().select(columns)
    return pa.concat_tables([empty, *(store.read(table.name, day, columns).select(columns) for day in days)])


def _read_what_can_be(store: PartitionStore, days: Sequence[str]) -> tuple[pa.Table, list[str]]:
    """Return the rows of the readable days, and the days that cannot be read.

    A day cannot be read if it is damaged, was just replaced, or was stored before a column existed.
    """
    tables, unread = [_read(store, [])], []
    for day in days:
        try:
            tables.append(_read(store, [day]))
        except _UNREADABLE:
            unread.append(day)
    return pa.concat_tables(tables), unread


def _discovered(store: PartitionStore, days: Sequence[str]) -> pa.ChunkedArray:
    """Return the name of each conversation's discovered topic; of days whose topics cannot be read, none."""
    names = [pa.array([], pa.string())]
    for day in days:
        with contextlib.suppress(*_UNREADABLE):
            names += store.read(conversation_topics.recipe.table.name, day, ["topic_name"])["topic_name"].chunks
    return pc.fill_null(pa.chunked_array(names), _NO_TOPIC)


def _moved(now: pa.ChunkedArray, before: pa.ChunkedArray) -> str:
    """Return a phrase that names the discovered topics whose shares changed most."""
    rows = _shares(now, before)[:_TOPICS_NAMED]
    said = ", ".join(f"{on_one_line(name)} ({was:.0%} before, {share:.0%} now)" for name, share, was in rows)
    return f", and of the discovered topics that moved most: {said}"


def _change_record(change: Change) -> dg.TableRecord:
    return dg.TableRecord(
        {"column": change.column, "size": round(change.size, 4), "limit": change.limit, "chance": change.chance}
    )


def _share_table(of_now: pa.ChunkedArray, of_before: pa.ChunkedArray) -> dg.MetadataValue:
    """Return the shares of the labels that changed most, as a table."""
    records = [
        dg.TableRecord({"label": on_one_line(name), "now": now, "before": before})
        for name, now, before in _shares(of_now, of_before)[:_LABELS_SHOWN]
    ]
    return dg.MetadataValue.table(records)


def _shares(of_now: pa.ChunkedArray, of_before: pa.ChunkedArray) -> list[tuple[str, float, float]]:
    """Return each label with its shares now and before, the largest changes first."""
    names, counts = count_labels(of_now, of_before)
    shares = np.round(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), 3)
    return sorted(zip(names, *shares.tolist(), strict=True), key=lambda row: (-round(abs(row[1] - row[2]), 3), row[0]))
