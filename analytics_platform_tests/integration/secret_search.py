"""Looking for secrets wherever something was kept: in files, and inside those whose bytes do not show their content."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow.parquet as pq


def spellings(secret: str) -> list[bytes]:
    """Return the ways in which a secret may be written."""
    texts = {secret, quote(secret, safe=""), secret.encode("unicode_escape").decode()}
    return [text.encode(encoding) for text in sorted(texts) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]


def found_in(content: bytes, secrets: Collection[str]) -> list[str]:
    """Return those of the secrets that occur in some bytes."""
    return [secret for secret in secrets if any(spelling in content for spelling in spellings(secret))]


def found_below(folder: Path, secrets: Collection[str]) -> list[str]:
    """Return one line for each secret and file below a folder that holds it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    assert files, f"nothing below {folder}"
    return [
        f"{path.relative_to(folder)}: {secret}"
        for path in files
        for secret in {name for content in contents(path) for name in found_in(content, secrets)}
    ]


def contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, and what they mean where they are a database or a table."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield repr((table.to_pydict(), table.schema.metadata)).encode()
    elif path.suffix == ".duckdb":
        yield from _duckdb(path)
    elif path.read_bytes()[:15] == b"SQLite format 3":
        yield from _sqlite(path)


def _duckdb(path: Path) -> Iterator[bytes]:
    with duckdb.connect(path, read_only=True) as connection:
        for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            yield repr(connection.table(name).fetchall()).encode()


def _sqlite(path: Path) -> Iterator[bytes]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for name in tables:
            for row in connection.execute(f'select * from "{name}"'):
                yield from (_unpacked(value) for value in row if isinstance(value, str | bytes))


def _unpacked(value: str | bytes) -> bytes:
    """Return a value as bytes; Dagster keeps its snapshots compressed."""
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    with contextlib.suppress(zlib.error):
        return zlib.decompress(value)
    return value


def reprs(*roots: object) -> str:
    """Return the reprs of objects and of what they hold, as far as it is the platform's or its libraries'."""
    seen: dict[int, object] = {}
    waiting = list(roots)
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, dict):
            waiting.extend(thing.values())
        elif isinstance(thing, list | tuple | set):
            waiting.extend(thing)
        elif re.match(r"analytics_platform\b", type(thing).__module__):
            with contextlib.suppress(TypeError):
                waiting.extend(vars(thing).values())
    # A dictionary is no object of ours, and neither is a text or bytes: each is shown by whoever holds it, or is not.
    bare = dict | list | tuple | set | str | bytes
    return "\n".join(repr(thing) for thing in seen.values() if not isinstance(thing, bare))
