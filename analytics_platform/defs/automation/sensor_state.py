"""The memory of the source sensor: which days changed at the source, were requested, and have arrived in the lake.

All functions are pure: a state and observations in, the next state out. ``source_sensor`` looks at the source, the lake
and Dagster.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter

GONE = ""
"""Version of a day that the source no longer has."""

MAXIMUM_ATTEMPTS = 5
FIRST_DELAY = dt.timedelta(minutes=1)
"""Delay before a failed request is made again; it doubles with each attempt."""

_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Request:
    """A request to compute some days.

    Attributes:
        id: Identifier of the request; its runs carry it as a tag.
        days: Day to its version at the source at the time of the request.
        asked_at: Time of the last attempt, UTC.
        attempt: Number of the attempt, from 1.
        ended: Whether all runs of the attempt have ended without delivering every day, so that it must be repeated.
    """

    id: str
    days: Mapping[str, str]
    asked_at: dt.datetime
    attempt: int = 1
    ended: bool = False

    @property
    def given_up(self) -> bool:
        """Whether the attempts are used up. Only a new change at the source then makes a new request."""
        return self.attempt >= MAXIMUM_ATTEMPTS

    @property
    def again_at(self) -> dt.datetime:
        """Time of the next attempt after a failure."""
        return self.asked_at + FIRST_DELAY * (1 << (self.attempt - 1))


@dataclass(frozen=True)
class SensorState:
    """The sensor's memory between two ticks.

    Attributes:
        delivered: Day to the version that has arrived in the lake.
        request: The open request; None if there is none.
        failed: Day to the version that could not be delivered in ``MAXIMUM_ATTEMPTS`` attempts.
    """

    delivered: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return the state as JSON."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_text(cls, text: str | None) -> SensorState:
        """Parse the JSON of ``as_text``; return an empty state for None and for text that cannot be parsed."""
        try:
            return _ADAPTER.validate_json(text) if text else cls()
        except ValueError:
            return cls()


_ADAPTER = TypeAdapter(SensorState)


def short(versions: Mapping[str, str]) -> dict[str, str]:
    """Shorten versions for the cursor, so that ten years of days stay below 100 kB."""
    return {day: version[:_VERSION_DIGITS] for day, version in versions.items()}


def changed_days(cursor: SensorState, versions: Mapping[str, str]) -> list[str]:
    """Return the days whose version at the source is neither delivered nor given up, ascending.

    Args:
        cursor: The sensor's memory.
        versions: Day to its present version at the source, shortened by ``short``.
    """
    handled = {**cursor.delivered, **cursor.failed}
    return sorted(day for day in {*handled, *versions} if versions.get(day, GONE) != handled.get(day))


def arrived(cursor: SensorState, days: Iterable[str], versions: Mapping[str, str]) -> SensorState:
    """Return the state after these days were found in the lake in their present version."""
    delivered = dict(cursor.delivered)
    failed = dict(cursor.failed)
    for day in days:
        failed.pop(day, None)
        if versions.get(day, GONE) == GONE:
            delivered.pop(day, None)
        else:
            delivered[day] = versions[day]
    return replace(cursor, delivered=delivered, failed=failed)


def request_ended(cursor: SensorState, missing: Sequence[str], now: dt.datetime) -> SensorState:
    """Return the state after all runs of the request have ended.

    Args:
        cursor: A state with a request.
        missing: Requested days that the lake does not hold in the requested version.
        now: The time, UTC.
    """
    request = cursor.request
    if request is None:
        return cursor
    there = [day for day in request.days if day not in missing]
    cursor = replace(arrived(cursor, there, request.days), request=None)
    if not missing:
        return cursor
    left = {day: request.days[day] for day in missing}
    if request.given_up:
        return replace(cursor, failed={**cursor.failed, **left})
    return replace(cursor, request=replace(request, days=left, asked_at=now, ended=True))


def request_repeated(cursor: SensorState, now: dt.datetime) -> SensorState:
    """Return the state after the request was repeated."""
    assert cursor.request is not None
    request = replace(cursor.request, attempt=cursor.request.attempt + 1, asked_at=now, ended=False)
    return replace(cursor, request=request)


def requested(cursor: SensorState, days: Iterable[str], versions: Mapping[str, str], now: dt.datetime) -> SensorState:
    """Return the state after these days were requested."""
    asked = {day: versions.get(day, GONE) for day in days}
    request = Request(id=f"{now:%Y%m%dT%H%M%S%f}", days=asked, asked_at=now)
    return replace(cursor, request=request)
