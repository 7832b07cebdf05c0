"""The two sides of a conversation.

Belongs here: which roles count as which side. Does not belong here: the roles themselves (``model.raw_tables``).
System and tool messages are of neither side.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

CUSTOMER_ROLES = ("user",)
AGENT_ROLES = ("agent", "assistant")


def is_customer(roles: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Tell for each role whether it is the customer's side."""
    return _is_in(roles, CUSTOMER_ROLES)


def is_agent(roles: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Tell for each role whether it is the side that answers, person or assistant."""
    return _is_in(roles, AGENT_ROLES)


def _is_in(roles: pa.ChunkedArray, side: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return cast("npt.NDArray[np.bool_]", pc.is_in(roles, pa.array(side)).to_numpy())
