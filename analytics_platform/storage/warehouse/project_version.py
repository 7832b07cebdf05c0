"""The version of a dbt project: a hash of what its files compute and test, without descriptions and comments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import orjson
import yaml

SOURCES = ("*.yml", "models/**/*", "macros/**/*", "tests/**/*")
"""The files of a project that dbt reads."""
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PROSE = frozenset({"description", "docs", "meta"})
"""Keys of YAML files that change no table and no test."""
_WRITTEN_BY_USERS = frozenset({"arguments", "vars"})
"""Keys of YAML files below which every key counts: the arguments of a test, and variables."""
_PERSIST = b"persist_docs"
"""The configuration with which dbt writes descriptions into the warehouse; in such a project, they count."""


def source_files(project_dir: Path) -> list[Path]:
    """Return the files of a project that dbt reads, in a fixed order."""
    return sorted({path for pattern in SOURCES for path in project_dir.glob(pattern) if path.is_file()})


def project_version(project_dir: Path) -> str:
    """Return 32 hexadecimal digits: a hash of dbt's version and of what the project computes and tests.

    Descriptions, comments, files of documentation, and the layout of SQL do not change the hash. A file that cannot be
    read as SQL or YAML counts byte by byte; the build reports its fault.
    """
    contents = {path: path.read_bytes() for path in source_files(project_dir) if path.suffix != ".md"}
    with_prose = any(_PERSIST in content for path, content in contents.items() if path.suffix in (".yml", ".yaml"))
    digest = hashlib.sha256(version("dbt-core").encode())
    for path, content in contents.items():
        digest.update(f"\x1f{path.relative_to(project_dir).as_posix()}\x1f".encode())
        digest.update(_meaning(path, content, with_prose=with_prose))
    return digest.hexdigest()[:32]


def _meaning(path: Path, content: bytes, *, with_prose: bool) -> bytes:
    """Return what a file says to dbt."""
    try:
        if path.suffix == ".sql":
            return "\x1e".join(_tokens(content.decode())).encode()
        if path.suffix in (".yml", ".yaml"):
            parsed = _LOADER(content).get_single_data()
            return orjson.dumps(
                parsed if with_prose else _without_prose(parsed),
                default=str,
                option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS,
            )
    except (jinja2.TemplateSyntaxError, yaml.YAMLError, ValueError):
        pass
    return content


def _tokens(source: str) -> Iterator[str]:
    """Return the tokens of a template of SQL: those of Jinja's blocks, then those of the SQL around the blocks."""
    sql: list[str] = []
    inside = False
    for _, kind, text in jinja2.Environment(autoescape=False).lex(source):  # noqa: S701  (SQL, not HTML)
        if kind == "data":
            sql.append(text)
        elif kind in ("block_begin", "variable_begin", "raw_begin"):
            inside = True
            sql.append("jinja")  # marks the place of the block in the SQL
        if inside and kind not in ("data", "whitespace"):
            yield text.strip() if kind.endswith(("_begin", "_end")) else text
        if kind in ("block_end", "variable_end", "raw_end"):
            inside = False
    yield from _sql_tokens("".join(sql))


def _sql_tokens(sql: str) -> Iterator[str]:
    """Return the tokens of SQL without comments."""
    starts = duckdb.tokenize(sql)
    ends = [*(start for start, _ in starts[1:]), len(sql)]
    for (start, kind), end in zip(starts, ends, strict=True):
        if kind != duckdb.token_type.comment:
            yield sql[start:end].strip()


def _without_prose(value: Any) -> Any:
    """Return parsed YAML without the keys that only describe."""
    if isinstance(value, list):
        return [_without_prose(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: one if key in _WRITTEN_BY_USERS else _without_prose(one)
        for key, one in value.items()
        if str(key).removeprefix("+") not in _PROSE
    }
