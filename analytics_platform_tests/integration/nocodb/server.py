"""A running NocoDB server with a user, a base and a token of its own, and what tests do with it.

Rows are written through the server's own API, as its users do. Also used by the benchmark.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sqlite3
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx
from pydantic import SecretStr

from analytics_platform_tests.integration.nocodb.install import Program

READY_SECONDS = 120
ROWS_PER_REQUEST = 100  # the server refuses more
WRITERS = 4

Row = dict[str, Any]
CHAT_COLUMNS = {"conversation_id": "SingleLineText", "role": "SingleLineText", "text": "LongText", "at": "DateTime"}


class NocoServer:
    """A NocoDB server on a free port of 127.0.0.1; a context manager.

    Args:
        program: The installed server.
        folder: For its data and its log; a server started on the same folder again has the same data.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.http = httpx.Client(base_url=self.url, timeout=60)
        self.token = SecretStr("")
        self.base_id = ""
        self._tables = itertools.count(1)

    def __enter__(self) -> Self:
        self.start()
        self._sign_up()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.stop()

    def start(self) -> None:
        """Start the server, or start it again, and wait until it answers."""
        data = self._folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NC_")},
            "NOCODB_FOLDER": str(self._program.folder),
            "NC_TOOL_DIR": str(data),
            "NC_AUTH_JWT_SECRET": "of-the-tests",
            "NC_DISABLE_TELE": "true",
            "PORT": str(self._port),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._program.command, env=environment, cwd=data, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.http.get("/api/v1/health").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        self.stop()
        end = self._log.read_text(encoding="utf-8", errors="replace")[-3000:]
        raise RuntimeError(f"NocoDB did not get ready; the end of its log:\n{end}")

    def stop(self) -> None:
        """Stop the server; its data stay."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def make_table(self, columns: dict[str, str] = CHAT_COLUMNS, names: dict[str, str] | None = None) -> str:
        """Make a table and return its id.

        Args:
            columns: Title to the server's type of column.
            names: Title to the column's name in the database, where it is another.
        """
        name = f"table_{next(self._tables)}"
        described = [
            {"column_name": (names or {}).get(title, title), "title": title, "uidt": kind}
            for title, kind in columns.items()
        ]
        body = {"table_name": name, "title": name, "columns": described}
        return str(self._done("POST", f"/api/v2/meta/bases/{self.base_id}/tables", body)["id"])

    def add_link(self, table_id: str, title: str, linked_table_id: str, relation: str) -> str:
        """Add a link to a table; return the column's id.

        Args:
            table_id: Id of the table.
            title: Title of the link.
            linked_table_id: Id of the linked table; it gets a link of its own back to this table.
            relation: ``hm`` (a record has many linked ones) or ``mm``.
        """
        body = {"column_name": title, "title": title, "uidt": "Links", "type": relation}
        ends = {"parentId": table_id, "childId": linked_table_id}
        self._done("POST", f"/api/v2/meta/tables/{table_id}/columns", body | ends)
        return str(self._column(table_id, title=title)["id"])

    def rename_link_back(self, table_id: str, title: str) -> str:
        """Rename the link that a table got from the other side of ``add_link``; return its id."""
        link = self._column(table_id, uidt="LinkToAnotherRecord")
        self._done("PATCH", f"/api/v2/meta/columns/{link['id']}", {**link, "title": title})
        return str(link["id"])

    def column_id(self, table_id: str, title: str) -> str:
        """Return the id of a column."""
        return str(self._column(table_id, title=title)["id"])

    def foreign_key(self, table_id: str) -> str:
        """Return the title of the hidden column that holds the key of the linked record."""
        return str(self._column(table_id, uidt="ForeignKey")["title"])

    def link(self, table_id: str, column_id: str, record: int, linked: Sequence[int]) -> None:
        """Link a record to others, as the link's own dialog does."""
        body = [{"Id": each} for each in linked]
        self._done("POST", f"/api/v2/tables/{table_id}/links/{column_id}/records/{record}", body)

    def age(self, table_id: str, days: int) -> None:
        """Make all rows of a table older, past the API: a test cannot wait until they are far behind the newest."""
        name = self._done("GET", f"/api/v2/meta/tables/{table_id}", None)["table_name"]
        with contextlib.closing(sqlite3.connect(self._folder / "data" / "noco.db", timeout=30)) as db, db:
            for column in ("created_at", "updated_at"):
                db.execute(f'UPDATE "{name}" SET {column} = datetime({column}, ?)', [f"-{days} days"])

    def insert(self, table_id: str, rows: Sequence[Row]) -> list[int]:
        """Insert rows, several requests at a time, and return their Ids in the order of the rows."""
        path = f"/api/v2/tables/{table_id}/records"
        parts = [rows[start : start + ROWS_PER_REQUEST] for start in range(0, len(rows), ROWS_PER_REQUEST)]
        with ThreadPoolExecutor(WRITERS) as writers:
            answers = writers.map(lambda part: self._done("POST", path, list(part)), parts)
            return [row["Id"] for answer in answers for row in answer]

    def edit(self, table_id: str, rows: Sequence[Row]) -> None:
        """Change rows; each has its Id and the columns to change."""
        for start in range(0, len(rows), ROWS_PER_REQUEST):
            self._done("PATCH", f"/api/v2/tables/{table_id}/records", list(rows[start : start + ROWS_PER_REQUEST]))

    def delete(self, table_id: str, ids: Sequence[int]) -> None:
        """Delete rows."""
        for start in range(0, len(ids), ROWS_PER_REQUEST):
            body = [{"Id": each} for each in ids[start : start + ROWS_PER_REQUEST]]
            self._done("DELETE", f"/api/v2/tables/{table_id}/records", body)

    def add_column(self, table_id: str, title: str, kind: str, **options: Any) -> None:
        """Add a column to a table; ``options`` as the server's API names them, such as a lookup's link."""
        body = {"column_name": title, "title": title, "uidt": kind, **options}
        self._done("POST", f"/api/v2/meta/tables/{table_id}/columns", body)

    def rename_table(self, table_id: str, title: str) -> None:
        """Give a table the title that people see."""
        self._done("PATCH", f"/api/v2/meta/tables/{table_id}", {"table_name": title, "title": title})

    @property
    def _log(self) -> Path:
        return self._folder / "server.log"

    def _column(self, table_id: str, **properties: str) -> Row:
        """Return the server's description of the first column that has certain properties."""
        columns: list[Row] = self._done("GET", f"/api/v2/meta/tables/{table_id}", None)["columns"]
        return next(column for column in columns if properties.items() <= column.items())

    def _sign_up(self) -> None:
        user = {"email": "tests@example.com", "password": "Of-the-tests-1"}
        self.http.headers["xc-auth"] = self._done("POST", "/api/v1/auth/user/signup", user)["token"]
        self.base_id = self._done("POST", "/api/v2/meta/bases", {"title": "Tests"})["id"]
        self.token = SecretStr(self._done("POST", "/api/v1/tokens", {"description": "tests"})["token"])

    def _done(self, method: str, path: str, body: Any) -> Any:
        answer = self.http.request(method, path, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()


def chat_rows(number: int) -> list[Row]:
    """Return rows for ``CHAT_COLUMNS``: conversations of five messages, a conversation a minute."""
    return [
        {
            "conversation_id": f"c{index // 5:06}",
            "role": "assistant" if index % 2 else "user",
            "text": f"message {index}: where is my order, it should have come last week?",
            "at": f"2026-01-{1 + index // 7200 % 28:02} {index // 300 % 24:02}:{index // 5 % 60:02}:{index % 60:02}",
        }
        for index in range(number)
    ]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
