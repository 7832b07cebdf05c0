"""The read-only client of a NocoDB server: bases, tables, rows, counts and health.

`transport` sends the requests and survives faults.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self, TypeVar

import httpx
from pydantic import SecretStr

from analytics_platform.sources.nocodb.noco_api import filters
from analytics_platform.sources.nocodb.noco_api.argument_checks import require
from analytics_platform.sources.nocodb.noco_api.circuit import Circuit
from analytics_platform.sources.nocodb.noco_api.dialects import DIALECTS, KEY, LinkedFields, field_params, link_params
from analytics_platform.sources.nocodb.noco_api.filters import Filter
from analytics_platform.sources.nocodb.noco_api.nocodb_bases import NocoBase, parse_bases, parse_table_titles
from analytics_platform.sources.nocodb.noco_api.nocodb_errors import NocoAuthError, NocoContractError, NocoNotFoundError
from analytics_platform.sources.nocodb.noco_api.nocodb_tables import NocoTable, parse_table
from analytics_platform.sources.nocodb.noco_api.pages import Page, Row, contradiction, read_pages
from analytics_platform.sources.nocodb.noco_api.retries import ATTEMPTS, DEADLINE_SECONDS, Retries
from analytics_platform.sources.nocodb.noco_api.transport import Params, Transport, parse_url

_T = TypeVar("_T")

MOST_PAGE_ROWS = 1000
"""Most rows of one page by the server's default configuration; the server cuts longer pages silently."""

_ID = re.compile(r"[A-Za-z0-9_-]+")


class NocoClient:
    """Reads tables of one NocoDB server; safe to share between threads; a context manager.

    Args:
        url: Address of the server, ``http(s)://host``, with its base path, if any.
        token: API token; any object whose ``get_secret_value()`` returns it.
        api_version: Version of the data API; v2 checks pages with fewer requests than v3, whose pages have no totals.
        requests_per_second: Most requests per second, evenly spaced, over all threads; the hosted service allows 5.
            None for no limit.
        timeout_seconds: Longest wait for a connection, and for each next part of an answer.
        deadline_seconds: Time for one request with all its retries and waits; a ``Retry-After`` beyond the deadline
            ends the request.
        attempts: Tries of one request, including the first.
        page_rows: Rows of a page, 1 to 1000.
        max_connections: Most connections at a time.
        circuit_failures: Failed requests in a row, each with all its retries, that open the circuit.
        circuit_reset_seconds: Seconds that the circuit stays open before it admits one trial request.
        transport: Sends the requests; tests replace it.
        sleep: Waits a number of seconds between attempts; tests replace it.

    Raises:
        ValueError: If a setting is impossible; names the parameter and its value.
    """

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        api_version: Literal["v2", "v3"] = "v2",
        requests_per_second: float | None = 5.0,
        timeout_seconds: float = 30.0,
        deadline_seconds: float = DEADLINE_SECONDS,
        attempts: int = ATTEMPTS,
        page_rows: int = MOST_PAGE_ROWS,
        max_connections: int = 4,
        circuit_failures: int = 3,
        circuit_reset_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        require(api_version in DIALECTS, "api_version", api_version, "v2 or v3")
        require(1 <= page_rows <= MOST_PAGE_ROWS, "page_rows", page_rows, f"1 to {MOST_PAGE_ROWS}")
        require(bool(token.get_secret_value().strip()), "token", "", "an API token")
        self._host = parse_url(url).netloc.decode("ascii")
        self._api_version = api_version
        self._dialect = DIALECTS[api_version]
        self._page_rows = page_rows
        self._retries = Retries(attempts=attempts, deadline_seconds=deadline_seconds, sleep=sleep)
        self._circuit = Circuit(self._host, failures=circuit_failures, reset_seconds=circuit_reset_seconds)
        self._bases: dict[str, str] = {}
        self._transport = Transport(
            url,
            token,
            requests_per_second=requests_per_second,
            timeout_seconds=timeout_seconds,
            max_connections=max_connections,
            retries=self._retries,
            circuit=self._circuit,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"NocoClient({self._host!r}, api_version={self._api_version!r}, circuit={self._circuit.state!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def circuit(self) -> Circuit:
        """The circuit breaker, whose state and changes callers can observe."""
        return self._circuit

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._transport.close()

    def pages(
        self,
        table_id: str,
        *,
        where: Filter | None = None,
        fields: Sequence[str] | None = None,
        after: int = 0,
        linked: LinkedFields | None = None,
    ) -> Iterator[list[Row]]:
        """Read the rows of a table by ascending ``Id``, page by page.

        Rows that are created or deleted during the reading neither hide nor repeat other rows. A row that is edited
        during the reading may or may not be selected by a filter, depending on when the server evaluates the filter.

        Args:
            table_id: Id of the table.
            where: Filter of the rows; all rows when None.
            fields: Titles of the requested columns; all columns when None. ``Id`` is always included.
            after: Read rows whose ``Id`` is greater than this one.
            linked: Which linked records come with the rows.

        Returns:
            Non-empty lists of at most ``page_rows`` rows; a row maps titles to values.

        Raises:
            ValueError: If an argument is impossible.
            NocoError: While reading; see ``nocodb_errors`` for the kinds.
        """
        require(after >= 0, "after", after, "0 or an Id")
        place = self._place(table_id)
        params = [*self._dialect.page_params(self._page_rows), *field_params(fields), *link_params(linked)]

        def fetch(above: int) -> Page:
            def read(answer: Any) -> Page:
                page = _shaped(place, self._dialect.page, answer)
                wrong = contradiction(page, after=above, asked=self._page_rows)
                if wrong:
                    raise NocoContractError(f"{place}: a page cannot be right: {wrong}")
                return page

            path = self._dialect.rows_path(self._base_of(table_id), table_id)
            return self._transport.get(place, path, [*params, *self._where(_range(where, above, None))], read)

        def count(above: int, upto: int | None) -> int:
            return self.count(table_id, _range(where, above, upto))

        return read_pages(place, fetch, count, after=after, retries=self._retries)

    def count(self, table_id: str, where: Filter | None = None) -> int:
        """Return the number of rows of a table, or of the rows that a filter selects.

        Raises:
            ValueError: If ``table_id`` is not an id.
            NocoError: See ``nocodb_errors`` for the kinds.
        """
        place = self._place(table_id)
        path = self._dialect.count_path(self._base_of(table_id), table_id)
        return self._transport.get(
            place, path, self._where(where), lambda answer: _shaped(place, lambda it: int(it["count"]), answer)
        )

    def table(self, table_id: str) -> NocoTable:
        """Return the server's current description of a table.

        Raises:
            ValueError: If ``table_id`` is not an id.
            NocoError: See ``nocodb_errors`` for the kinds.
        """
        place = self._place(table_id)
        path = f"/api/v2/meta/tables/{table_id}"
        return self._transport.get(place, path, [], lambda answer: _shaped(place, parse_table, answer))

    def bases(self) -> list[NocoBase]:
        """Return the bases that the token may see, in the server's order.

        Raises:
            NocoError: See ``nocodb_errors`` for the kinds.
        """

        def listed(path: str) -> list[NocoBase]:
            return self._transport.get(self._host, path, [], lambda answer: _shaped(self._host, parse_bases, answer))

        try:
            return listed("/api/v2/meta/bases")
        except NocoNotFoundError:  # the hosted service lists the bases of each workspace
            workspaces = listed("/api/v2/meta/workspaces")
        return [base for one in workspaces for base in listed(f"/api/v2/meta/workspaces/{one.id}/bases")]

    def table_titles(self, base_id: str) -> dict[str, str]:
        """Return the tables of a base: title by id of the table, in the server's order.

        Raises:
            ValueError: If ``base_id`` is not an id.
            NocoError: See ``nocodb_errors`` for the kinds.
        """
        require(bool(_ID.fullmatch(base_id)), "base_id", base_id, "the id of a base, such as p1a2b3c4d5e6f7g")
        place = f"{self._host}, base {base_id}"
        path = f"/api/v2/meta/bases/{base_id}/tables"
        return self._transport.get(place, path, [], lambda answer: _shaped(place, parse_table_titles, answer))

    def ping(self) -> None:
        """Return if the server answers; needs no valid token.

        Raises:
            NocoError: See ``nocodb_errors`` for the kinds.
        """
        self._transport.get(self._host, "/api/v1/health", [], lambda _: None)

    def whoami(self) -> str:
        """Return the e-mail address of the token's user.

        Raises:
            NocoAuthError: If the token belongs to no user.
            NocoError: See ``nocodb_errors`` for the other kinds.
        """

        def read(answer: Any) -> str:
            user = _shaped(self._host, lambda it: it.get("email"), answer)
            if not user:  # the server treats a wrong token as a guest
                raise NocoAuthError(f"{self._host}: the token is of no user; make an API token that may read the base")
            return str(user)

        return self._transport.get(self._host, "/api/v2/auth/user/me", [], read)

    def _place(self, table_id: str) -> str:
        require(bool(_ID.fullmatch(table_id)), "table_id", table_id, "the id of a table, such as m1a2b3c4d5e6f7g")
        return f"{self._host}, table {table_id}"

    def _base_of(self, table_id: str) -> str:
        if not self._dialect.needs_base:
            return ""
        if table_id not in self._bases:
            self._bases[table_id] = self.table(table_id).base_id
        return self._bases[table_id]

    def _where(self, selected: Filter | None) -> Params:
        return [] if selected is None else [("where", self._dialect.where(selected))]


def _range(where: Filter | None, above: int, upto: int | None) -> Filter:
    """Return a filter for rows with a key above ``above`` and at most ``upto``; ``upto`` None means no upper bound."""
    parts = [filters.gt(KEY, above), *([] if upto is None else [filters.le(KEY, upto)]), *([where] if where else [])]
    return filters.all_of(*parts)


def _shaped(place: str, read: Callable[[Any], _T], answer: Any) -> _T:
    """Read an answer; raise ``NocoContractError`` if the answer has another shape, e.g. because a proxy sent it."""
    try:
        return read(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NocoContractError(
            f"{place}: the answer has another shape ({type(error).__name__}: {error}); "
            "check that the URL is NocoDB's, and its version"
        ) from error
