"""Materializations as Dagster serializes them, in less time.

The event of a partition differs from the one before it in its time, its partition, its metadata and its tags. Dagster
makes the text of each from some fifty objects; here the rest of the text is kept from one event to the next.
"""

from __future__ import annotations

import json
from typing import Any

from dagster import AssetMaterialization, EventLogEntry
from dagster._core.definitions.metadata import MetadataFieldSerializer
from dagster._serdes import serialize_value
from dagster_shared.serdes.serdes import _WHITELIST_MAP

from analytics_platform.storage.event_history.asset_events import stated_materialization

_METADATA = MetadataFieldSerializer()


class EventTexts:
    """The texts of events; each equals what Dagster's ``serialize_value`` returns. Safe to share between threads."""

    def __init__(self) -> None:
        self._latest: tuple[EventLogEntry, dict[str, Any] | None] | None = None

    def text(self, event: EventLogEntry) -> str:
        """Return the JSON of an event.

        The first event of its kind is serialized by Dagster and here. If the two texts differ, as they may in another
        version of Dagster, Dagster serializes all events of the kind.
        """
        materialization = stated_materialization(event)
        if materialization is None:
            return serialize_value(event)
        frame = _frame(event, materialization)
        latest = self._latest
        if latest is None or latest[0] != frame:
            text = serialize_value(event)
            packed = json.loads(text)
            self._latest = frame, packed if _filled(packed, event, materialization) == text else None
            return text
        return serialize_value(event) if latest[1] is None else _filled(latest[1], event, materialization)


def _frame(event: EventLogEntry, materialization: AssetMaterialization) -> EventLogEntry:
    """Return the event without what differs from one partition to the next."""
    about = event.get_dagster_event()
    data = about.step_materialization_data._replace(
        materialization=materialization._replace(metadata={}, tags={}, partition=None)
    )
    return event._replace(timestamp=0.0, dagster_event=about._replace(event_specific_data=data))


def _filled(packed: dict[str, Any], event: EventLogEntry, materialization: AssetMaterialization) -> str:
    about = packed["dagster_event"]
    data = about["event_specific_data"]
    content = {
        **data["materialization"],
        "metadata_entries": _METADATA.pack(materialization.metadata, _WHITELIST_MAP, ""),
        "partition": materialization.partition,
        "tags": materialization.tags,
    }
    whole = {
        **packed,
        "dagster_event": {**about, "event_specific_data": {**data, "materialization": content}},
        "timestamp": event.timestamp,
    }
    return json.dumps(whole, sort_keys=True)
