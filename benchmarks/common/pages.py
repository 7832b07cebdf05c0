"""Writes tables of measured figures into a page of the documentation, between two marks, with date and machine.

Each benchmark makes its own tables.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path


def write_tables(path: Path, tables: str, name: str = "tables") -> None:
    """Put tables, with date and machine, between the marks of a page; the rest of it stays.

    Args:
        path: The page.
        tables: Markdown.
        name: Name in the marks ``<!-- name -->`` and ``<!-- end of name -->``.

    Raises:
        ValueError: If the page does not have each mark once, in order.
    """
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    page = path.read_text(encoding="utf-8")
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise ValueError(f"{path}: needs the lines {start.strip()} and {end.strip()}, once each, to write between")
    machine = (
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {platform.machine()}, {os.cpu_count()} cores, no GPU used, "
        f"{platform.system()}, Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}.\n"
    )
    before, after = page[: page.index(start)], page[page.index(end) + len(end) :]
    path.write_text(f"{before}{start}{machine}\n{tables}{end}{after}", encoding="utf-8")
