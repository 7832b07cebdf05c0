"""Whether this machine can run a tier on a device, found out before any work and without fitting anything."""

from __future__ import annotations

from analytics_platform.insights.encoders.device import DeviceChoice, resolve_device
from analytics_platform.insights.tiers.tier import require_tier
from analytics_platform.insights.vectors.text_encoder import names_of, transformer_encoder


def require_available(tier: str, device: DeviceChoice) -> None:
    """Refuse a tier or a device that this machine lacks; loaded models stay loaded for ``build_engine``.

    Raises:
        TierError: If the tier or the device is unknown or not available.
    """
    require_tier(tier)
    resolve_device(device)
    if tier != "static":
        names_of(transformer_encoder(device))
