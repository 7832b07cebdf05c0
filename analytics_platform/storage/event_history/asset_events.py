"""Asset events as the event log stores them: one data version and one timestamp per partition.

Dagster gives all partitions that one step materializes the same data version, made of the code and of all inputs of
the step. A partition that a run over another range reused therefore gets a new version, and Dagster calls every
downstream asset stale although the partition's content is the same. ``MaterializeResult`` takes one version for a whole
step, and Dagster writes the events after the step has ended, so only the event log can still give each event the
version of its own partition. The version is the content hash in the event's metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dagster import AssetKey, AssetMaterialization, DagsterEventType, EventLogEntry
from dagster._core.definitions.data_version import (
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
)

CONTENT_HASH = "content_hash"
"""Metadata of a materialization: the content hash of the stored partition, which is its data version."""

MILLISECONDS = 1000
"""Per second. Dagster's UI reads times in whole milliseconds, and shows one of the events with the same time."""

LatestVersions = Callable[[AssetKey, Sequence[str]], Mapping[str, str]]
"""From an asset and some of its partitions: the latest data version of each partition that has one."""

_WITH_OWN_TIME = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_OBSERVATION}


def with_content_versions(events: Sequence[EventLogEntry], latest_versions: LatestVersions) -> list[EventLogEntry]:
    """Return the events with a data version for every materialization that states a content hash.

    The data version becomes the content hash. The version of a partitioned input becomes the version of the input's
    partition with the same key, even when the asset reads further partitions of the input. An input without partitions
    keeps the version that Dagster has noted.

    Args:
        events: Events about to be stored.
        latest_versions: Looks up versions of inputs; called once per input.
    """
    stated = [found for event in events if (found := _materialization(event)) and CONTENT_HASH in found.metadata]
    partitions = sorted({found.partition for found in stated if found.partition})
    inputs = sorted({name for found in stated if found.partition for name in _input_tags(found)})
    versions = {name: latest_versions(_input_key(name), partitions) for name in inputs}
    return [_with_content_version(event, versions) for event in events]


def next_time(event: EventLogEntry, latest: float) -> float:
    """Return the time to store an event with, in seconds since the epoch.

    Args:
        event: The event; a materialization or an observation gets a millisecond of its own.
        latest: Time of the previously stored event of the same run, in seconds; the result is never earlier.
    """
    if event.dagster_event is None or event.dagster_event_type not in _WITH_OWN_TIME:
        return max(event.timestamp, latest)
    earliest = int(latest * MILLISECONDS) + 1
    if int(event.timestamp * MILLISECONDS) >= earliest:
        return event.timestamp
    return (earliest + 0.5) / MILLISECONDS  # the middle of a millisecond: rounding cannot move it into another one


def _materialization(event: EventLogEntry) -> AssetMaterialization | None:
    if event.dagster_event is None or event.dagster_event_type is not DagsterEventType.ASSET_MATERIALIZATION:
        return None
    return event.dagster_event.step_materialization_data.materialization


def _input_tags(materialization: AssetMaterialization) -> list[str]:
    return [name for name in materialization.tags or {} if name.startswith(f"{INPUT_DATA_VERSION_TAG_PREFIX}/")]


def _input_key(tag: str) -> AssetKey:
    return AssetKey.from_user_string(tag.removeprefix(f"{INPUT_DATA_VERSION_TAG_PREFIX}/"))


def _with_content_version(event: EventLogEntry, versions: Mapping[str, Mapping[str, str]]) -> EventLogEntry:
    materialization = _materialization(event)
    if materialization is None or CONTENT_HASH not in materialization.metadata:
        return event
    partition = materialization.partition or ""
    tags = {
        **(materialization.tags or {}),
        **{
            name: versions[name][partition]
            for name in _input_tags(materialization)
            if partition in versions.get(name, {})
        },
        DATA_VERSION_TAG: str(materialization.metadata[CONTENT_HASH].value),
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
    }
    told = event.get_dagster_event()
    data = told.step_materialization_data._replace(materialization=materialization._replace(tags=tags))
    return event._replace(dagster_event=told._replace(event_specific_data=data))
