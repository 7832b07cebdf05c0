"""What a run prints about its source before it computes anything."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_platform.operations.inspecting.file_views import NOT_STATED, FileView
from analytics_platform.sources.row_rules.row_summary import remedy_of
from analytics_platform.system.plain_text import counted

_SHOWN_FILES = 5


def short_lines(views: list[FileView]) -> Iterator[str]:
    """Yield what a run prints about files that it has not read before: what each is, and how many rows are usable."""
    read = [view for view in views if not view.skipped]
    for view in read[:_SHOWN_FILES]:
        yield f"{view.file}: {view.fault or view.what}"
        if view.fault is None:
            of = counted(view.rows, "row") if view.whole else f"the first {counted(view.rows, 'row')}"
            yield f"  {view.kept:,} of {of} usable{_time_range(view)}"
            yield from (f"  {line}" for line in trouble_lines(view))
            yield from (f"  {note}" for note in view.notes)
    if len(read) > _SHOWN_FILES:
        yield f"… and {counted(len(read) - _SHOWN_FILES, 'more file')}"
    yield from (f"{view.file}: left out: {view.skipped}" for view in views if view.skipped)


def _time_range(view: FileView) -> str:
    if view.first is None:
        return ""
    is_assumed = view.zone is not None and view.zone.startswith(NOT_STATED)
    return f", {view.first} to {view.last} UTC" + (f" (zone {view.zone})" if is_assumed else "")


def trouble_lines(view: FileView) -> Iterator[str]:
    """Yield a line per reason of quarantine, with its first detail and the way out, and per column with repairs."""
    for reason, count in sorted(view.quarantined.items(), key=lambda item: -item[1]):
        remedy = remedy_of(reason, count, view.rows, view.reasons[reason])
        yield f"{counted(count, 'row')} {reason}: {view.reasons[reason]}; {remedy}"
    for name, count in view.repaired.items():
        yield f"{counted(count, 'row')} with an unreadable {name}, which is left out or mended"
