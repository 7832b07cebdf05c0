"""The program that sends one message to one channel: ``python -m analytics_platform.alerting.sending``.

apprise does not limit the size of an answer, and its threads that wait for a receiver cannot be stopped. So a separate
process with a memory limit sends each message, and ends after the timeout. The address is a secret, so it comes through
standard input and not as an argument, which every user of the machine can read.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

ANSWER_BYTES = 1 << 20
"""Bytes read of an HTTP answer. The status is read before, and no service answers with more than a few lines."""
MEMORY_BYTES = 512 << 20
"""Memory limit of the process in bytes; it needs about 60 MB, and a few times the size of a message."""
_HTTP_STATUS = re.compile(r"error=(\d{3})\b")


def silence_libraries() -> None:
    """Keep libraries from logging addresses. apprise still records its warnings in the result of a message."""
    library = logging.getLogger("apprise")
    library.propagate = False
    library.setLevel(logging.WARNING)
    requests = logging.getLogger("urllib3.connectionpool")
    requests.setLevel(max(logging.INFO, requests.level))  # its debug lines hold paths, which are tokens for Slack


def main() -> None:
    """Send the message described on standard input; write the reason of a failure, or null, to standard output.

    The output is JSON.
    """
    _limit_memory()
    _guard_requests()
    request = json.load(sys.stdin)
    try:
        reason = _send(**request)
    except MemoryError:
        reason = "the answer is too large"
    sys.stdout.write(json.dumps(reason))
    sys.stdout.flush()
    os._exit(0)  # not waiting for the threads of a receiver that still sends


def _send(url: str, title: str, body: str, timeout_seconds: float) -> str | None:
    import apprise  # noqa: PLC0415  (after the limits)

    silence_libraries()
    service = apprise.Apprise()
    service.add(url)
    result = service.notify(
        body=body, title=title, notify_type=apprise.NotifyType.FAILURE, body_format="text", timeout=timeout_seconds
    )
    return None if result else _reason(result, timeout_seconds)


def _reason(result: Any, timeout_seconds: float) -> str:
    """Return why a message did not arrive, in the platform's own words: apprise's may contain parts of the address."""
    if result.status.name == "TIMEOUT":
        return f"no answer within {timeout_seconds:g} s"
    status = next((found for entry in result.logs() if (found := _HTTP_STATUS.search(str(entry.message)))), None)
    if status is None:
        return "not reachable, or it refused the message"
    hint = "; it redirects: set the address that it redirects to" if status.group(1).startswith("3") else ""
    return f"refused with HTTP {status.group(1)}{hint}"


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415  (Windows has none)

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, OSError, ValueError):  # a lower limit that is already set stays
        return


def _guard_requests() -> None:
    """Replace the session of ``requests``, which apprise uses, by one that limits answers and never drops the message.

    After a status 301, 302 or 303, ``requests`` asks for the new address by GET, without the message, and the GET's
    status 200 looks like success. So these redirects are not followed. 307 and 308 are followed with the message.
    """
    import requests.adapters  # noqa: PLC0415

    class Adapter(requests.adapters.HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> requests.Response:
            read = resp.stream
            resp.stream = lambda *args, **kwargs: _at_most(ANSWER_BYTES, read(*args, **kwargs))
            return super().build_response(req, resp)

    class Session(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            self.mount("https://", Adapter())
            self.mount("http://", Adapter())

        def get_redirect_target(self, resp: requests.Response) -> str | None:
            drops_message = resp.status_code in {301, 302, 303} and resp.request.method not in {"GET", "HEAD"}
            return None if drops_message else super().get_redirect_target(resp)

    requests.Session = requests.sessions.Session = Session  # type: ignore[misc]


def _at_most(size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        size -= len(chunk)
        if size <= 0:
            return


if __name__ == "__main__":
    main()
