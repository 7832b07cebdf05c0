"""The one decision whether a partition must be computed, and the words for it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.storage.failures import Failure, as_annotations
from analytics_platform.storage.partitions import PartitionInfo
from analytics_platform.storage.provenance import CODE, Provenance
from analytics_platform.storage.staleness import (
    KeptDays,
    MissingInputError,
    RecomputePolicy,
    decide,
    decide_not_kept,
)

PARTS = st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=80), max_size=5)
NOW = Provenance.of({CODE: "a", "taxonomy": "t", "input messages": "m"})


def stored(provenance: Provenance | str, *, failures: int = 0) -> PartitionInfo:
    text = provenance if isinstance(provenance, str) else provenance.text()
    failed = [Failure(f"c{n}", "ValueError", 1, "2024-01-01T00:00:00+00:00") for n in range(failures)]
    return PartitionInfo("2024-01-05", 1, 1, "hash", text, as_annotations(failed, []))


def reasons(info: PartitionInfo | None, **given_) -> tuple[str, ...]:
    return decide(lambda: info, lambda: NOW, **given_).reasons


@given(PARTS)
def test_a_partition_computed_from_equal_parts_is_current(parts):
    now = Provenance.of(parts)
    decision = decide(lambda: stored(now), lambda: Provenance.parse(now.text()))
    assert not decision.is_stale
    assert decision.unchanged


@given(PARTS, PARTS)
def test_a_partition_is_stale_exactly_when_a_part_differs(before, after):
    decision = decide(lambda: stored(Provenance.of(before)), lambda: Provenance.of(after))
    assert decision.is_stale == (Provenance.of(before).parts != Provenance.of(after).parts)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ({**NOW.parts, CODE: "b"}, ("changed code",)),
        ({**NOW.parts, "taxonomy": "u"}, ("changed taxonomy",)),
        ({**NOW.parts, "input messages": "n"}, ("changed input messages",)),
        ({CODE: "a", "taxonomy": "t"}, ("changed input messages",)),
    ],
)
def test_a_reason_names_the_part_that_changed(before, expected):
    assert reasons(stored(Provenance(before))) == expected


@pytest.mark.parametrize("part", ["taxonomy", "training"])
def test_an_engine_that_changed_with_what_it_learnt_is_not_told_twice(part):
    before, now = ({"engine": f"e{n}", part: f"t{n}"} for n in (1, 2))
    assert Provenance.of(now).changes_since(Provenance.of(before)) == (f"changed {part}",)


def test_a_partition_of_an_older_version_of_the_platform_is_stale():
    (reason,) = Provenance.of({}).changes_since(Provenance.parse("0123456789abcdef"))
    assert "older version" in reason


def test_a_missing_input_is_the_only_reason_and_leaves_nothing_to_compute_from():
    def provenance():
        raise MissingInputError("messages", "2024-01-05")

    decision = decide(lambda: stored(NOW), provenance)
    assert decision.reasons == ("missing input messages 2024-01-05",)
    with pytest.raises(MissingInputError, match="messages has no partition"):
        decision.known_provenance()


def test_computing_everything_does_not_look_at_what_is_stored():
    """What is stored may be damaged, and computing it again is how it is mended."""

    def damaged():
        raise OSError("damaged")

    assert decide(damaged, lambda: NOW, RecomputePolicy.EVERYTHING).is_stale


def test_failures_are_tried_again_as_the_policy_says():
    failed, whole = stored(NOW, failures=1), stored(NOW)
    assert reasons(failed) == ("failed conversations with tries left",)
    assert reasons(failed, policy=RecomputePolicy.NOTHING) == ()
    assert reasons(failed, policy=RecomputePolicy.FAILURES) == ("another try for failed conversations",)
    assert reasons(whole, policy=RecomputePolicy.FAILURES, reads_source=True) == ("another look at the source",)
    assert reasons(whole, policy=RecomputePolicy.FAILURES) == ()


def test_long_parts_are_kept_as_their_hash():
    """A part may be what people wrote, such as their corrections."""
    assert len(Provenance.of({"list": "secret " * 100}).parts["list"]) == 16


def test_an_unfinished_partition_is_stale_and_still_told_as_stored():
    """`analytics why` called a day that waits for an LLM's answers not stored."""
    decision = decide(lambda: stored(NOW), lambda: NOW, unfinished="conversations without an answer of the LLM")
    assert decision.reasons == ("conversations without an answer of the LLM",)
    assert decision.stored == stored(NOW)
    assert not decision.unchanged


def test_a_store_keeps_as_many_days_as_it_is_told_up_to_the_last_day():
    kept = KeptDays(2, lambda: dt.date(2024, 3, 1), "ANALYTICS_MONGO_DAYS")
    assert kept.first == "2024-02-29"
    assert [day in kept for day in ("2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02")] == [
        False,
        True,
        True,
        True,
    ]


def test_the_kept_days_move_on_with_the_last_day():
    """A process that runs for weeks went on with the days of its first day."""
    days = iter([dt.date(2024, 3, 1), dt.date(2024, 3, 2)])
    kept = KeptDays(1, lambda: next(days), "ANALYTICS_MONGO_DAYS")
    assert "2024-03-01" in kept
    assert "2024-03-01" not in kept


@pytest.mark.parametrize("info", [None, stored("old")])
def test_a_day_that_is_not_kept_is_never_stale(info):
    decision = decide_not_kept(lambda: info, KeptDays(1, lambda: dt.date(2024, 3, 1), "ANALYTICS_MONGO_DAYS"))
    assert (decision.is_stale, decision.stored) == (False, info)
    assert decision.not_kept == "MongoDB keeps 1 day, from 2024-03-01 on (ANALYTICS_MONGO_DAYS=1)"
