"""Read tables of a NocoDB server: each row exactly once, or a clear error.

One client serves both versions of the data API.
"""

from analytics_platform.sources.nocodb.circuit import Circuit, CircuitChange
from analytics_platform.sources.nocodb.client import NocoClient
from analytics_platform.sources.nocodb.nocodb_bases import NocoBase
from analytics_platform.sources.nocodb.nocodb_errors import (
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
from analytics_platform.sources.nocodb.nocodb_tables import NocoColumn, NocoTable

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
