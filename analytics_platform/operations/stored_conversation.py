"""Finds the day under which a conversation's messages are stored, by searching the lake."""

from __future__ import annotations

import os
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from analytics_platform.defs.resources.platform import Platform
from analytics_platform.errors import UserError
from analytics_platform.model.tables.clean_tables import MESSAGES
from analytics_platform.storage.partitions import PartitionTask, run_tasks


def day_of(platform: Platform, conversation_id: str, day: str | None, refuse: type[UserError]) -> str:
    """Return the day of a stored conversation.

    Args:
        platform: The platform with the lake.
        conversation_id: Identifier of the conversation.
        day: Its day, ``YYYY-MM-DD``; all stored days are searched when None.
        refuse: Class of the error to raise if the conversation is not stored.

    Raises:
        UserError: Of the class ``refuse``, naming the conversation or the day.
    """
    lake = platform.lake
    stored = lake.keys(MESSAGES.name)
    days = stored if day is None else [day] if day in stored else []
    if not days:
        where = f"no messages of {day} are stored" if day and stored else "no messages are stored"
        raise refuse(f"{where}; `analytics run --select '*{MESSAGES.name}'` makes them")
    tasks = (PartitionTask(key, partial(lake.read, MESSAGES.name, key, ["conversation_id"])) for key in days)
    workers = platform.settings.workers or os.cpu_count() or 1
    holds = run_tasks(tasks, lambda task: _is_in(conversation_id, task.compute()), workers)
    found = next((key for key, there in zip(days, holds, strict=True) if there), None)
    if found is None:
        where = f"the messages of {day}; without --date, all days are searched" if day else "any day's messages"
        raise refuse(f"conversation {conversation_id!r} is not among {where}")
    return found


def _is_in(conversation_id: str, table: pa.Table) -> bool:
    return bool(pc.index(table["conversation_id"], conversation_id).as_py() >= 0)
