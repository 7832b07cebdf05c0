"""The device of dense arithmetic: the CPU with numpy, or a GPU with cupy on request.

No GPU has run the GPU path so far; it computes in the precision of its inputs.
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
    """A device for dense arithmetic.

    Attributes:
        name: ``"cpu"`` or ``"gpu"``.
        matmul: Multiplies two dense matrices in host memory.
    """

    name: Literal["cpu", "gpu"]
    matmul: Callable[[Dense, Dense], Dense]


CPU = Device("cpu", np.matmul)


def resolve_device(choice: DeviceChoice) -> Device:
    """Return the device for a choice; ``auto`` is the CPU, the fastest device for the static tier.

    Raises:
        TierError: If the choice is unknown, or ``gpu`` is chosen and cupy or a GPU is missing.
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
