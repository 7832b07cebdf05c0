"""Read pages of rows in the order of the key, and check each page before it is returned.

Each page requests the rows above the last key, so rows that are created or deleted meanwhile neither shift nor repeat
other rows. A page is trusted when it is consistent in itself and its total equals the number of rows that the page
before left over. When the totals are unknown or differ, the server must count the page's own range of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from analytics_platform.sources.nocodb.noco_api.nocodb_errors import NocoContractError
from analytics_platform.sources.nocodb.noco_api.retries import Retries

Row = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One answer with rows.

    Attributes:
        rows: Rows in the order of the answer.
        is_first: Whether the server says that no page precedes it.
        is_last: Whether the server says that no page follows it.
        total: Number of rows that the request selects; None if the answer does not state it.
    """

    rows: list[Row]
    is_first: bool
    is_last: bool
    total: int | None


def contradiction(page: Page, *, after: int, asked: int) -> str | None:
    """Return how a page contradicts itself or its request; None if it does not.

    Args:
        page: The page.
        after: Key that all keys of the page must exceed.
        asked: Number of requested rows.
    """
    keys: list[Any] = [row.get("Id") for row in page.rows]
    if not all(type(key) is int for key in keys):
        return "a row has no whole number as Id; the table needs its Id column"
    if keys and keys[0] <= after:
        return f"it begins with Id {keys[0]} where Ids above {after} were asked for"
    if not all(one < next_ for one, next_ in pairwise(keys)):
        return "its Ids do not ascend"
    if not page.is_first:
        return "it is another page than the first"
    return _miscount(page, asked)


def _miscount(page: Page, asked: int) -> str | None:
    rows = len(page.rows)
    if rows > asked:
        return f"it has {rows} rows where {asked} were asked for"
    if rows < asked and not page.is_last:
        return f"it has {rows} rows where {asked} were asked for, and is not the last; a smaller page_rows may help"
    if page.total is not None and (rows != min(asked, page.total) or page.is_last != (rows == page.total)):
        return f"it has {rows} rows, is {'' if page.is_last else 'not '}the last, and tells of {page.total} in all"
    return None


def read_pages(
    place: str,
    fetch: Callable[[int], Page],
    count: Callable[[int, int | None], int],
    *,
    after: int,
    retries: Retries,
) -> Iterator[list[Row]]:
    """Yield the rows above a key, page by page.

    Args:
        place: Host and table, for messages.
        fetch: Returns the consistent page of rows above a key.
        count: Returns the number of rows above a key, and up to another key unless that is None.
        after: Key to begin above.
        retries: How often a page is requested again if a count contradicts it.

    Raises:
        NocoContractError: If page and count contradict each other in every try.
        NocoError: If a request fails.
    """
    left: int | None = None

    def checked() -> Page:
        page = fetch(after)
        if page.total is None or page.total != left:
            upto = None if page.is_last else page.rows[-1]["Id"]
            counted = count(after, upto)
            if counted != len(page.rows):
                raise NocoContractError(
                    f"{place}: a page has {len(page.rows)} rows above Id {after}, where the server counts {counted}; "
                    "it answers from an old copy, or the table changes all the time: read again later"
                )
        return page

    while True:
        page = retries.run(lambda _: checked())
        if page.rows:
            yield page.rows
            after = page.rows[-1]["Id"]
        if page.is_last:
            return
        left = None if page.total is None else page.total - len(page.rows)
