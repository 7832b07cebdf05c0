"""The markers in brackets that the sources write into a text for what is no text, such as ``[image]``.

Nobody said a marker, so that words, language and labels leave it out.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_KINDS = (
    "image", "photo", "photos", "video", "videos", "video_file", "video_message", "voice_message", "audio",
    "audio_file", "audio_files", "animation", "sticker", "gif", "gifs", "file", "files", "document", "contact",
    "location", "media", "tool call",
)  # fmt: skip
MARKERS = rf"\[(?:{'|'.join(_KINDS)})(?:: [^\]\n]*)?\]"
"""A marker, for RE2 and Python."""


def without_markers(texts: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts without their markers, and without white space at both ends."""
    if not pc.any(pc.match_substring(texts, "[")).as_py():
        return texts
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, MARKERS, ""))
