"""Entries of the ledger: which partitions MongoDB holds, and where their pages end.

A partition whose replacement or deletion is under way, or was interrupted, has no entry, so it counts as not stored. A
second entry then keeps the page ends, without which the whole partition would have to be requested at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo.client_session import ClientSession
from pymongo.database import Database

from analytics_platform.storage.mongo.migrations import LEDGER

PAGE_ENDS = "page_ends"
"""Field of a ledger entry: the last ``_id`` of each page of the partition but the last page."""

LEASE_FIELD = "lease"
"""Field of a ledger entry: the fencing token of the lease under which the partition was written."""

_UNFINISHED = "unfinished:"
"""Prefix of the ``_id`` of the second entry."""


def recorded_keys(database: Database[Any], name: str, *, unfinished: bool = True) -> list[str]:
    """Return the keys of the partitions in the ledger, ascending.

    Args:
        database: The database.
        name: The ``address`` of the collection.
        unfinished: Whether to add the partitions whose replacement or deletion was interrupted.
    """
    keys: set[str] = set()
    for address in (name, *([f"{_UNFINISHED}{name}"] if unfinished else [])):
        entries = database[LEDGER].find(entries_of(address), {"_id": 1})
        keys.update(entry["_id"].removeprefix(f"{address}/") for entry in entries)
    return sorted(keys)


def entries_of(address: str) -> dict[str, Any]:
    """Return the filter of the ledger entries whose ``_id`` is the address, a slash, and a key."""
    return {"_id": {"$gte": f"{address}/", "$lt": f"{address}0"}}  # "0" is the character after "/"


def stored_page_ends(database: Database[Any], name: str, key: str) -> list[str]:
    """Return the page ends of a stored partition from the ledger: the last ``_id`` of each page but the last page.

    After an interrupted replacement or deletion these are the page ends of the old and the new documents. The list is
    empty for a partition of one page, a partition that is not stored, and a partition written before the ledger kept
    page ends.
    """
    return page_ends_of(ledger_entries(database, name, key))


def ledger_entries(database: Database[Any], name: str, key: str) -> list[Mapping[str, Any]]:
    """Return ``_id`` and page ends of a partition's ledger entry, and of the entry of an unfinished replacement."""
    entries = {"_id": {"$in": [f"{name}/{key}", f"{_UNFINISHED}{name}/{key}"]}}
    return list(database[LEDGER].find(entries, {PAGE_ENDS: 1}))


def page_ends_of(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the page ends in the result of ``ledger_entries``."""
    return [str(end) for entry in entries for end in entry.get(PAGE_ENDS) or []]


def is_unfinished(entries: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether the result of ``ledger_entries`` has the entry of an unfinished replacement or deletion."""
    return any(entry["_id"].startswith(_UNFINISHED) for entry in entries)


def begin(database: Database[Any], name: str, key: str, ends: Sequence[str], *, marks_empty: bool = False) -> None:
    """Delete a partition's ledger entry, and keep its page ends in a second entry until ``finish``.

    Without the second entry, a writer that continues after a kill would have to request the whole partition at once.

    Args:
        database: The database.
        name: The ``address`` of the collection.
        key: The partition.
        ends: The page ends of the stored documents and of the new ones.
        marks_empty: Whether to write the second entry also for a partition of one page, which has no page ends.
    """
    if ends or marks_empty:
        entry = {"_id": f"{_UNFINISHED}{name}/{key}", PAGE_ENDS: sorted(set(ends))}
        database[LEDGER].replace_one({"_id": entry["_id"]}, entry, upsert=True)
    database[LEDGER].delete_one({"_id": f"{name}/{key}"})


def finish(database: Database[Any], name: str, key: str, session: ClientSession | None = None) -> None:
    """Delete the second entry of a partition, which ``begin`` wrote."""
    database[LEDGER].delete_one({"_id": f"{_UNFINISHED}{name}/{key}"}, session=session)
