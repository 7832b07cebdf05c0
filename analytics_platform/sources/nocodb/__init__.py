"""Reading tables of a NocoDB server: every row once, or a clear error.

Belongs here: one client for both versions of the data API, and what it takes to trust an answer. Does not
belong here: what the rows mean, which of them changed since, and where they are kept.
"""

from analytics_platform.sources.nocodb.circuit import Circuit, CircuitChange
from analytics_platform.sources.nocodb.client import NocoClient
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
