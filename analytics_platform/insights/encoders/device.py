"""Where dense arithmetic runs: on the CPU by numpy, or on a GPU by cupy when asked for.

Belongs here: finding the device and the one operation that is worth moving there. Does not belong here: what is
computed. The GPU path has been run on no GPU so far; it computes in the precision of what it is given.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analytics_platform.insights.tiers.tier import TierError

Dense = NDArray[np.float64] | NDArray[np.float32]
DeviceChoice = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Attributes:
        name: ``"cpu"`` or ``"gpu"``.
        matmul: Multiplies two dense matrices in host memory.
    """

    name: Literal["cpu", "gpu"]
    matmul: Callable[[Dense, Dense], Dense]


CPU = Device("cpu", np.matmul)


def resolve_device(choice: DeviceChoice) -> Device:
    """Return the device for a choice; ``auto`` is the CPU, which the static tier is quickest on.

    Raises:
        TierError: If the choice is unknown, or a GPU is asked for and cupy or a device is not there.
    """
    if choice in ("auto", "cpu"):
        return CPU
    if choice != "gpu":
        raise TierError(f"device {choice!r} is unknown; use auto, cpu or gpu")
    try:
        cupy = importlib.import_module("cupy")
        count = int(cupy.cuda.runtime.getDeviceCount())
    except (ImportError, RuntimeError) as error:  # cupy's CUDARuntimeError is a RuntimeError
        raise TierError(
            f"device gpu: no GPU can be used ({error}); install the extra gpu, or use auto or cpu"
        ) from error
    if count == 0:
        raise TierError("device gpu: cupy finds no device; use auto or cpu")

    def matmul(left: Dense, right: Dense) -> Dense:
        return np.asarray(cupy.asnumpy(cupy.matmul(cupy.asarray(left), cupy.asarray(right))))

    return Device("gpu", matmul)
