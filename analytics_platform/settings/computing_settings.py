"""The settings of how a run computes: in which blocks, and in which processes. ``loader.Settings`` inherits them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

_ADDRESS = re.compile(r"(?:tcp|tls|ws|wss|ucx)://[^\s@/]+:\d+/?")


class ComputingSettings(BaseSettings):
    """Settings of blocks, processes and the Dask cluster."""

    executor: Literal["local", "threads", "dask"] = Field(
        default="local",
        validation_alias="ANALYTICS_EXECUTOR",
        description="Who computes blocks: local is this process, and for many rows further processes of this machine, "
        "each with about a gigabyte; threads is this process alone; dask is the cluster of ANALYTICS_DASK_SCHEDULER.",
    )
    dask_scheduler: str | None = Field(
        default=None,
        validation_alias="ANALYTICS_DASK_SCHEDULER",
        description="Address of the Dask scheduler, such as tcp://scheduler:8786.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        le=256,
        validation_alias="ANALYTICS_WORKERS",
        description="Number of blocks of partitions computed at once; by default the number of cores.",
    )
    block_rows: int = Field(
        default=10_000,
        ge=1,
        validation_alias="ANALYTICS_BLOCK_ROWS",
        description="Rows from which a block of neighbouring days takes no further day; smaller blocks need less "
        "memory and more time.",
    )

    @field_validator("dask_scheduler")
    @classmethod
    def _scheduler(cls, address: str | None) -> str | None:
        if address is not None and not _ADDRESS.fullmatch(address):
            raise ValueError("must be tcp://host:port or tls://host:port, without credentials")
        return address
