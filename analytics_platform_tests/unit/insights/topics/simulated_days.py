"""Simulated conversations over many days, whose kinds begin, fall apart, come together, end and return."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from analytics_platform.insights.topics.epochs import Days
from analytics_platform.insights.topics.openings import Openings
from analytics_platform.insights.vectors.unit_length import unit

FIRST = dt.date(2024, 1, 1)
"""A Monday."""
ENCODER = "simulated"
_DIMENSIONS = 256
_WIDTH = 0.8
"""Length of what tells the conversations of a kind apart, beside a kind's vector of length 1."""


def day(number: int) -> str:
    """Return a simulated day, from 0."""
    return (FIRST + dt.timedelta(days=number)).isoformat()


def direction(name: str) -> np.ndarray:
    """Return the unit vector of a name."""
    random = np.random.default_rng(list(name.encode()))
    return np.asarray(unit(random.normal(size=(1, _DIMENSIONS)))[0])


@dataclass
class Simulated:
    """Conversations by day; an identifier is ``<kind>-<day>-<number>``.

    Attributes:
        vectors: Vectors of a day's conversations, by identifier, by day.
        identities: Name of the content of each day.
    """

    vectors: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    identities: dict[str, str] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def add(self, kind: str, days: Sequence[int], per_day: int, centre: np.ndarray, width: float = _WIDTH) -> None:
        """Add conversations of a kind."""
        for number in days:
            random = np.random.default_rng([number, *kind.encode()])
            noise = unit(random.normal(size=(per_day, _DIMENSIONS))) * width
            vectors = unit(centre + noise).astype(np.float16)
            self.put(day(number), {f"{kind}-{number}-{one}": vector for one, vector in enumerate(vectors)})

    def put(self, date: str, vectors: Mapping[str, np.ndarray]) -> None:
        """Add conversations to a day."""
        known = self.vectors.setdefault(date, {})
        known.update(vectors)
        self.identities[date] = f"{date} {len(known)}"

    def days(self, order: Callable[[Sequence[str]], Sequence[str]] = list) -> Days:
        """Return the days as ``find_epochs`` takes them, stored in some order."""
        stored = order(list(self.vectors))
        return Days(
            counts={date: len(self.vectors[date]) for date in stored},
            identities={date: self.identities[date] for date in stored},
            read=self.openings,
            words=lambda _, ids: pa.array([f"about {one.split('-')[0]}" for one in ids.to_pylist()], pa.string()),
        )

    def openings(self, date: str) -> Openings:
        """Return the openings of a day."""
        self.read.append(date)
        known = self.vectors[date]
        return Openings(pa.array(list(known), pa.string()), np.stack(list(known.values())), ENCODER)


def two_months() -> Simulated:
    """Return sixty days: eight steady kinds; a new one, a split, a merge, and one that ends and returns."""
    simulated = Simulated()
    for number in range(8):
        simulated.add(f"steady{number}", range(60), 4, direction(f"steady{number}"))
    simulated.add("billing", range(60), 6, direction("billing"))
    simulated.add("refund", range(25, 60), 4, direction("billing") + 0.7 * direction("refund"), 0.2)  # within billing
    simulated.add("outage", range(20, 60), 4, direction("outage"))
    simulated.add("seasonal", [*range(15), *range(50, 60)], 4, direction("seasonal"))
    for kind in ("parcel", "letter"):  # told apart at first, and then no longer
        simulated.add(kind, range(25), 4, direction("post") + 0.5 * direction(f"only {kind}"))
    simulated.add("post", range(25, 60), 8, direction("post"))
    return simulated
