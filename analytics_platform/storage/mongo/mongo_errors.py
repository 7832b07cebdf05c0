"""MongoDB errors in one sentence that names server, collection and document, and contains no secret.

The driver's own messages repeat whole documents (people's conversations) and topologies, so this module summarizes
them instead of passing them on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pymongo import errors

from analytics_platform.errors import UserError
from analytics_platform.storage.partitions import StoreUnreachableError
from analytics_platform.system.disk_full import DiskFullError

_AUTHENTICATION_FAILED = 18
_VALIDATION_FAILED = 121
_OUT_OF_DISK = 14031
_SHOWN = 3
_CANCELLED = "operation cancelled"
"""The driver's whole message for a request whose server its monitor finds silent."""


class MongoStoreError(UserError, RuntimeError):
    """MongoDB cannot be read or written; the message names the server, the action and the reason."""


class MongoUnreachableError(MongoStoreError, StoreUnreachableError):
    """The MongoDB server does not answer."""


def address(uri: str) -> str:
    """Return the hosts of a URI, the only part that may be shown.

    In a URI whose password holds an unescaped ``/``, ``?`` or ``#``, the password looks like a path; then no part is
    shown.
    """
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "(unreadable address)"
    if "@" in parts.path + parts.query + parts.fragment or not parts.netloc:
        return "(unreadable address)"
    return parts.netloc.rpartition("@")[2]


def timeout_of(uri: str) -> float | None:
    """Return the ``timeoutMS`` of a URI in seconds; None when the URI does not set it, or sets 0."""
    try:
        options = {name.lower(): value for name, value in parse_qsl(urlsplit(uri).query)}
    except ValueError:
        return None
    milliseconds = options.get("timeoutms", "")
    return int(milliseconds) / 1000 if milliseconds.isdecimal() and int(milliseconds) else None


@contextmanager
def translated(place: str, action: str, timeout_seconds: float, embedded_in: Path | None = None) -> Iterator[None]:
    """Raise the driver's errors as ``MongoStoreError``.

    Args:
        place: The hosts, for the message.
        action: The action, e.g. ``"write daily_reports"``.
        timeout_seconds: The time allowed, for the message.
        embedded_in: Folder of the embedded server; None for the server of ANALYTICS_MONGO_URI.

    Raises:
        MongoUnreachableError: If no server answers, or it stops answering.
        MongoStoreError: For another error of the driver.
        DiskFullError: If the server's disk is full.
    """
    try:
        yield
    except errors.PyMongoError as error:
        if isinstance(error, errors.OperationFailure) and error.code == _OUT_OF_DISK:
            raise DiskFullError(f"MongoDB at {place}") from None
        server = f"embedded MongoDB in {embedded_in}" if embedded_in else f"MongoDB at {place}"
        reason = _reason(error, timeout_seconds, is_embedded=embedded_in is not None)
        message = f"{server}, {action}: {reason}"
        kind = MongoUnreachableError if _is_outage(error) else MongoStoreError
        raise kind(message) from None  # the driver's message may quote documents


def _is_outage(error: errors.PyMongoError) -> bool:
    """Tell whether the server did not answer, before or during a request."""
    if isinstance(error, errors.BulkWriteError):
        return False
    return error.timeout or isinstance(error, errors.ConnectionFailure) or _CANCELLED in str(error)


def _reason(error: errors.PyMongoError, timeout_seconds: float, *, is_embedded: bool) -> str:
    if isinstance(error, errors.BulkWriteError):
        return _refused_documents(error.details)
    if is_embedded and (error.timeout or isinstance(error, errors.ConnectionFailure)):
        silent = f"does not answer within {timeout_seconds:g} s" if error.timeout else "does not answer any more"
        return f"the embedded server of this home {silent}; the next run starts it again"
    if isinstance(error, errors.ServerSelectionTimeoutError):
        return _unreachable(str(error), timeout_seconds)
    if error.timeout:
        return f"no answer within {timeout_seconds:g} s"
    if _CANCELLED in str(error):
        return "the driver closed the connection, because the server stopped answering; is it running?"
    if isinstance(error, errors.OperationFailure):
        details = error.details or {}
        if error.code == _AUTHENTICATION_FAILED:
            return "the server refuses the user or password of ANALYTICS_MONGO_URI"
        return f"{details.get('errmsg') or error} (code {error.code})"
    return str(error)


def _unreachable(said: str, timeout_seconds: float) -> str:
    """Return why no server was found; ``said``, the driver's message, contains each server's error and is not shown."""
    if "certificate verify failed" in said:
        return "the server's certificate is not trusted; name its authority by tlsCAFile=... in ANALYTICS_MONGO_URI"
    return (
        f"no server answered within {timeout_seconds:g} s; is ANALYTICS_MONGO_URI right, also about TLS, "
        "and the server running?"
    )


def _refused_documents(details: Any) -> str:
    """Return the ``_id`` of the first documents that a bulk write could not store, each with its reason."""
    problems = details.get("writeErrors") or details.get("writeConcernErrors") or [{}]
    shown = "; ".join(_refused_document(problem) for problem in problems[:_SHOWN])
    return f"{len(problems)} refused: {shown}" + ("; …" if len(problems) > _SHOWN else "")


def _refused_document(problem: Any) -> str:
    operation = problem.get("op") or {}
    identity = operation.get("_id") or (operation.get("q") or {}).get("_id")
    if problem.get("code") == _VALIDATION_FAILED:
        fields = ", ".join(_failed_properties(problem.get("errInfo") or {}))
        return f"{identity!r} fails the validator" + (f" at {fields}" if fields else "")
    return f"{identity!r}: error {problem.get('code')}"


def _failed_properties(info: Any) -> list[str]:
    """Return the names of the properties that violate a validator."""
    rules = (info.get("details") or {}).get("schemaRulesNotSatisfied") or []
    found = [item["propertyName"] for rule in rules for item in rule.get("propertiesNotSatisfied") or []]
    missing = [name for rule in rules for name in rule.get("missingProperties") or []]
    unknown = [name for rule in rules for name in rule.get("additionalProperties") or []]
    return [str(name) for name in (*found, *missing, *unknown)]
