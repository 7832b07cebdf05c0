"""The kinds of table that an asset may ask for and return: Arrow's, pandas' frames, and cuDF's on a GPU.

Belongs here: turning Arrow tables into what an asset's annotation names, and back. Does not belong here: what is in
them. cuDF is never imported here: an asset whose annotation names its frame has imported it. Its methods used are
those of its documentation; no GPU has run them so far.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
import pyarrow as pa


def cudf_frame() -> Any | None:
    """Return cuDF's class of frames where something of this process has imported it, otherwise None."""
    cudf = sys.modules.get("cudf")
    return None if cudf is None else cudf.DataFrame


def frame_kinds() -> tuple[Any, ...]:
    """Return the classes that a whole table may have."""
    gpu = cudf_frame()
    return (pa.Table, pd.DataFrame) if gpu is None else (pa.Table, pd.DataFrame, gpu)


def from_arrow(table: pa.Table, kind: Any) -> Any:
    """Return a table as one of ``frame_kinds``."""
    if kind is pa.Table:
        return table
    return table.to_pandas() if kind is pd.DataFrame else kind.from_arrow(table)


def leave_gpu(table: Any) -> Any:
    """Return a cuDF frame as an Arrow table in host memory, and anything else as it is."""
    gpu = cudf_frame()
    return table.to_arrow(preserve_index=False) if gpu is not None and isinstance(table, gpu) else table
