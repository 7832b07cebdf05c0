"""Read tables of a NocoDB server: each row exactly once, or a clear error.

One client serves both versions of the data API.
"""

from analytics_platform.sources.nocodb.noco_api.circuit import Circuit, CircuitChange
from analytics_platform.sources.nocodb.noco_api.client import NocoClient
from analytics_platform.sources.nocodb.noco_api.nocodb_bases import NocoBase
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import (
    NocoAuthError,
    NocoBusyError,
    NocoCircuitOpenError,
    NocoContractError,
    NocoError,
    NocoNotFoundError,
    NocoRateLimitError,
    NocoRequestError,
    NocoServerError,
)
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoColumn, NocoTable

__all__ = [
    "Circuit",
    "CircuitChange",
    "NocoAuthError",
    "NocoBase",
    "NocoBusyError",
    "NocoCircuitOpenError",
    "NocoClient",
    "NocoColumn",
    "NocoContractError",
    "NocoError",
    "NocoNotFoundError",
    "NocoRateLimitError",
    "NocoRequestError",
    "NocoServerError",
    "NocoTable",
]
