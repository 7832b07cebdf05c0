"""How many rows a second ``NocoClient`` reads, against a bare loop over pages with httpx on the same server.

Run: ``python benchmarks/nocodb_read.py [--rows 20000]``. Starts a real NocoDB server, whose own work is most of the
time of both. The rate limit is off; the rounds of the readers take turns, the best of each counts. Where the server
cannot be installed it says so and measures nothing. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from analytics_platform.sources.nocodb import NocoClient
from analytics_platform_tests.integration.nocodb.install import UnavailableError, install
from analytics_platform_tests.integration.nocodb.server import NocoServer, chat_rows

PAGE_ROWS = 1000
REPEATS = 5


def bare_reader(server: NocoServer, table: str) -> Callable[[], int]:
    """Return a function that reads all rows by key and checks nothing; it returns their number."""
    http = httpx.Client(base_url=server.url, headers={"xc-token": server.token.get_secret_value()}, timeout=60)

    def read() -> int:
        rows, last = 0, 0
        while True:
            params: dict[str, str | int] = {"where": f"(Id,gt,{last})", "sort": "Id", "limit": PAGE_ROWS}
            page = http.get(f"/api/v2/tables/{table}/records", params=params).json()
            rows += len(page["list"])
            if page["pageInfo"]["isLastPage"]:
                return rows
            last = page["list"][-1]["Id"]

    return read


def client_reader(server: NocoServer, table: str, version: str) -> Callable[[], int]:
    """Return a function that reads all rows with the client; it returns their number."""
    client = NocoClient(server.url, server.token, api_version=version, requests_per_second=None, page_rows=PAGE_ROWS)
    return lambda: sum(len(page) for page in client.pages(table))


def main() -> None:
    """Read the same table with each reader in turn and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    try:
        program = install()
    except UnavailableError as error:
        print(json.dumps({"skipped": str(error)}))
        sys.exit()
    with tempfile.TemporaryDirectory() as folder, NocoServer(program, Path(folder)) as server:
        table = server.make_table()
        server.insert(table, chat_rows(rows))
        readers = {
            "bare": bare_reader(server, table),
            "v2": client_reader(server, table, "v2"),
            "v3": client_reader(server, table, "v3"),
        }
        best = dict.fromkeys(readers, float("inf"))
        for _ in range(REPEATS):
            for name, read in readers.items():
                start = time.perf_counter()
                assert read() == rows
                best[name] = min(best[name], time.perf_counter() - start)
    speeds = {f"{name}_rows_per_second": round(rows / seconds) for name, seconds in best.items()}
    ratios = {f"{name}_to_bare": round(best["bare"] / best[name], 2) for name in ("v2", "v3")}
    print(json.dumps({"rows": rows, **speeds, **ratios}))


if __name__ == "__main__":
    main()
