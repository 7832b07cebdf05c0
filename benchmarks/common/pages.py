"""Writes tables of measured figures into a page of the documentation, between two marks, with date and machine.

Each benchmark makes its own tables.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path

START, END = "<!-- tables -->\n", "<!-- end of tables -->\n"


def write_tables(path: Path, tables: str) -> None:
    """Put tables, with date and machine, between the marks of a page; the rest of it stays.

    Raises:
        ValueError: If the page does not have each mark once, in order.
    """
    page = path.read_text(encoding="utf-8")
    if page.count(START) != 1 or page.count(END) != 1 or page.index(START) > page.index(END):
        raise ValueError(f"{path}: needs the lines {START.strip()} and {END.strip()}, once each, to write between")
    machine = (
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {platform.machine()}, {os.cpu_count()} cores, no GPU used, "
        f"{platform.system()}, Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}.\n"
    )
    before, after = page[: page.index(START)], page[page.index(END) + len(END) :]
    path.write_text(f"{before}{START}{machine}\n{tables}{END}{after}", encoding="utf-8")
