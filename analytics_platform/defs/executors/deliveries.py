"""What a run gives to another process with an order, and what it takes from the delivery."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from analytics_platform.storage.lake import Lake
from analytics_platform.storage.work.orders import Delivered, Order, Stored
from analytics_platform.system.plain_text import on_one_line

logger = logging.getLogger(__name__)


def leased(order: Order, lake: Lake) -> Order:
    """Return the order with the run's lease on its days, so that a worker cannot write for a run that lost them.

    Args:
        order: The order.
        lake: The lake of this process.
    """
    lease = lake.leases.lease_of(next(iter(order.decisions))) if lake.leases else None
    return replace(order, lease=lease.entry if lease else None)


def accepted(order: Order, delivery: Delivered, lake: Lake) -> Mapping[str, Stored]:
    """Return the stored partitions of a delivery, after noting their checksums for the checks; log why one declined.

    Args:
        order: The order.
        delivery: What the other process did.
        lake: The lake of this process.
    """
    if delivery.declined:
        logger.warning("%s", on_one_line(f"a worker left {order.table} to this process: {delivery.declined}"))
    for key, checksum in delivery.checksums.items():
        lake.adopt(order.table, key, checksum)
    return delivery.stored
