"""Maps roles to the two sides of a conversation, customer and agent.

System and tool messages belong to neither side.
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
    """Tell for each role whether it belongs to the customer."""
    return _is_in(roles, CUSTOMER_ROLES)


def is_agent(roles: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Tell for each role whether it belongs to the answering side, a person or an assistant."""
    return _is_in(roles, AGENT_ROLES)


def _is_in(roles: pa.ChunkedArray, side: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return cast("npt.NDArray[np.bool_]", pc.is_in(roles, pa.array(side)).to_numpy())
