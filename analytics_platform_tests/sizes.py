"""How much the tests try: enough to judge a change within minutes, or as much as a night allows."""

from __future__ import annotations

import os
from typing import TypeVar

Size = TypeVar("Size")

NIGHTLY = os.environ.get("NIGHTLY") == "1"
"""Whether `make test-nightly` runs the tests."""


def by_day_or_night(day: Size, night: Size) -> Size:
    """Return the size of a sample: the small one of every change, or the large one of `make test-nightly`."""
    return night if NIGHTLY else day
