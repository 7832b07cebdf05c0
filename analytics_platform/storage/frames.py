"""The table classes that an asset may receive and return: Arrow tables, pandas frames, and cuDF frames on a GPU.

This module never imports cuDF: an asset whose annotation names a cuDF frame has imported it already. The cuDF calls
follow its documentation; no GPU has run them so far.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd
import pyarrow as pa


def cudf_frame() -> Any | None:
    """Return the class ``cudf.DataFrame`` if this process has imported cuDF, otherwise None."""
    cudf = sys.modules.get("cudf")
    return None if cudf is None else cudf.DataFrame


def frame_kinds() -> tuple[Any, ...]:
    """Return the classes in which an asset may receive or return a whole table."""
    gpu = cudf_frame()
    return (pa.Table, pd.DataFrame) if gpu is None else (pa.Table, pd.DataFrame, gpu)


def from_arrow(table: pa.Table, kind: Any) -> Any:
    """Convert an Arrow table to ``kind``, one of ``frame_kinds``."""
    if kind is pa.Table:
        return table
    return table.to_pandas() if kind is pd.DataFrame else kind.from_arrow(table)


def leave_gpu(table: Any) -> Any:
    """Return a cuDF frame as an Arrow table in host memory, and any other object unchanged."""
    gpu = cudf_frame()
    return table.to_arrow(preserve_index=False) if gpu is not None and isinstance(table, gpu) else table
