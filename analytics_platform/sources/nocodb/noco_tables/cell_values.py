"""Values of NocoDB's column types, in one form for both versions of the API.

The versions write checkboxes, lists of choices and links differently. A value here is a list of plain values, one per
item of the cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analytics_platform.sources.formats.file_records import value_at
from analytics_platform.sources.shapes.shape import parsed

CHECKBOX_NUMBER = "Checkbox as a number"
"""A kind of our own, for rules that have the words 0 and 1 for a checkbox."""
_CHOICES = "MultiSelect"
_ATTACHMENT_KEYS = frozenset({"mimetype", "signedUrl", "signedPath"})


def plain_values(kind: str, value: Any) -> list[Any]:
    """Return the items of a cell as texts and numbers; an empty list for a cell without a value.

    Args:
        kind: The server's type of the column; for a lookup, the type of the column that it reads.
        value: The cell as either version of the API writes it.
    """
    if value is None or value == "":
        return []
    if kind == "Attachment":
        value = parsed(value)
    if isinstance(value, list) and kind != "JSON":
        return [one for item in value for one in plain_values(kind, item)]
    if kind in {"Checkbox", CHECKBOX_NUMBER}:
        words = ("false", "true") if kind == "Checkbox" else ("0", "1")
        return [words[value in (True, 1, "1", "true")]]
    if kind == "Rating" and value in (0, "0"):  # the server has 0 for a record that nobody has rated
        return []
    if isinstance(value, Mapping) and kind != "JSON":
        return [_object_text(value)]
    return [("true" if value else "false") if isinstance(value, bool) else value]


def joined(kind: str, values: Sequence[Any]) -> Any:
    """Return the items of a cell as one value: none, the only item itself, or a text of all.

    Args:
        kind: The server's type of the column.
        values: From ``plain_values``.
    """
    if len(values) <= 1:
        return values[0] if values else None
    return ("," if kind == _CHOICES else ", ").join(map(str, values))


def at_path(value: Any, path: str) -> list[Any]:
    """Return what is at a dotted path within a cell of JSON, users or attachments; of a list, for each item.

    Args:
        value: The cell; a text of JSON is parsed.
        path: Such as ``author.type``, ``email`` or ``[0].name``.
    """
    value = parsed(value)
    if isinstance(value, list) and not path.lstrip("[")[:1].isdigit():
        return [one for item in value for one in at_path(item, path)]
    found = value_at(value, path)
    return [] if found is None else [found]


def attachment_markers(value: Any) -> Any:
    """Return names and types of attachments as a text of markers, without addresses that expire and give access."""
    return joined("Attachment", plain_values("Attachment", value))


def _object_text(value: Mapping[str, Any]) -> Any:
    """Return what stands for a user, an attachment or another object in a text."""
    if "email" in value:
        return value["email"] or value.get("display_name") or value.get("id")
    if _ATTACHMENT_KEYS & value.keys():
        name, kind = value.get("title"), str(value.get("mimetype") or "")
        sort = kind.partition("/")[0]
        word = sort if sort in {"image", "audio", "video"} else "file"
        return f"[{word}: {name}]" if name else f"[{word}]"
    return dict(value)
