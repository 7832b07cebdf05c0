"""What changed at the source, what was asked for because of it, and what has arrived: the sensor's memory.

All pure: a state and what is seen in, a state and what to do out. Belongs here: when a day counts as delivered, and
when a failed request is made again. Does not belong here: Dagster (``sensors``), looking at the source or at the lake.
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
"""Before a failed request is made again; it doubles with each attempt."""

_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Request:
    """Days that were asked for together.

    Attributes:
        id: Names the request; its runs carry it as a tag.
        days: Day to its version at the source when it was asked for.
        asked_at: When it was made last, UTC.
        attempt: 1 for the first time.
        ended: Whether its runs have ended without delivering, so that it is to be made again.
    """

    id: str
    days: Mapping[str, str]
    asked_at: dt.datetime
    attempt: int = 1
    ended: bool = False

    @property
    def given_up(self) -> bool:
        """Whether it has been tried often enough; a new change at the source makes a new request."""
        return self.attempt >= MAXIMUM_ATTEMPTS

    @property
    def again_at(self) -> dt.datetime:
        """When to ask again after a failure."""
        return self.asked_at + FIRST_DELAY * (1 << (self.attempt - 1))


@dataclass(frozen=True)
class SensorState:
    """What the sensor remembers between two ticks.

    Attributes:
        delivered: Day to the version of it that has arrived in the lake.
        request: What is on its way; None when nothing is.
        failed: Day to the version that could not be delivered in ``MAXIMUM_ATTEMPTS``.
    """

    delivered: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """Return it as JSON."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_text(cls, text: str | None) -> SensorState:
        """Read what ``as_text`` wrote; an empty memory when there is none, or none that can be read."""
        try:
            return _ADAPTER.validate_json(text) if text else cls()
        except ValueError:
            return cls()


_ADAPTER = TypeAdapter(SensorState)


def short(versions: Mapping[str, str]) -> dict[str, str]:
    """Return versions as the cursor keeps them: ten years of days stay below 100 kB."""
    return {day: version[:_VERSION_DIGITS] for day, version in versions.items()}


def changed_days(cursor: SensorState, versions: Mapping[str, str]) -> list[str]:
    """Return the days whose version at the source is neither delivered nor given up, ascending.

    Args:
        cursor: The sensor's memory.
        versions: Day to its version at the source now, short.
    """
    known = {**cursor.delivered, **cursor.failed}
    return sorted(day for day in {*known, *versions} if versions.get(day, GONE) != known.get(day))


def arrived(cursor: SensorState, days: Iterable[str], versions: Mapping[str, str]) -> SensorState:
    """Return the memory after these days were found in the lake in their present version."""
    delivered = dict(cursor.delivered)
    failed = dict(cursor.failed)
    for day in days:
        failed.pop(day, None)
        if versions.get(day, GONE) == GONE:
            delivered.pop(day, None)
        else:
            delivered[day] = versions[day]
    return replace(cursor, delivered=delivered, failed=failed)


def settled(cursor: SensorState, missing: Sequence[str], now: dt.datetime) -> SensorState:
    """Return the memory after all runs of the request have ended.

    Args:
        cursor: With a request.
        missing: Days of it that the lake does not hold as they were asked for.
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


def asked_again(cursor: SensorState, now: dt.datetime) -> SensorState:
    """Return the memory after the request was made once more."""
    assert cursor.request is not None
    request = replace(cursor.request, attempt=cursor.request.attempt + 1, asked_at=now, ended=False)
    return replace(cursor, request=request)


def requested(cursor: SensorState, days: Iterable[str], versions: Mapping[str, str], now: dt.datetime) -> SensorState:
    """Return the memory after these days were asked for."""
    asked = {day: versions.get(day, GONE) for day in days}
    request = Request(id=f"{now:%Y%m%dT%H%M%S%f}", days=asked, asked_at=now)
    return replace(cursor, request=request)
