"""Checks of variable names and of single values of the environment.

A check of a value returns the value in its final form, or raises ``ValueError`` with the rest of a sentence that begins
with the variable's name. Rules across variables are in ``loader``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from analytics_platform.insights.taxonomies.pack_files import pack_names
from analytics_platform.settings.aws_secrets import is_reference
from analytics_platform.system.plain_text import on_one_line

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_READ_ANEW = re.compile(r"[*?[\\]|%[0-9A-Fa-f]{2}")
_USER_IN_ADDRESS = re.compile(r"://[^\s/]*@")
_MOST_CHARACTERS = 800
_MONGO_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")

SPANS_KEY_BYTES = 32  # the least that the sealer accepts
PREFIXES = ("ANALYTICS_", "NOCODB_")
"""Prefixes of the platform's own variables. A variable with another prefix belongs to another program."""

# Kubernetes and Docker set these variables in every container for a service named analytics or nocodb.
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP)\w*)?)")


def unknown_variables(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a line for each variable with the platform's prefix that no setting reads, most often a typing error.

    Args:
        given: Names of the variables that are set, in capitals.
        known: Names of the variables that the platform reads.
    """
    names = list(known)
    unknown = {name for name in given if name.startswith(PREFIXES) and not _SERVICE_LINK.fullmatch(name)}
    return [_unknown(name, names) for name in sorted(unknown.difference(names))]


def _unknown(name: str, known: list[str]) -> str:
    by_rest = {one.partition("_")[2]: one for one in known}  # compared without the prefix, which all have in common
    nearest = get_close_matches(name.partition("_")[2], by_rest, n=1)
    hint = f"did you mean {by_rest[nearest[0]]}?" if nearest else ".env.example lists all"
    return f"{name}: there is no such setting; {hint}"


def day(value: object) -> object:
    """Refuse a day that is not ``YYYY-MM-DD``, before it is parsed. pydantic would also accept seconds since 1970."""
    if isinstance(value, str) and not _DAY.fullmatch(value.strip()):
        raise ValueError("must be a day, YYYY-MM-DD")
    return value


def absolute(path: Path) -> Path:
    """Return a path as an absolute one, `~` replaced by the folder of the user."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("begins with ~ and the name of a user who does not exist on this machine") from None


def source_encoding(name: str) -> str:
    """Return the name of an encoding, or ``auto``; refuse a name that Python does not know as an encoding of text."""
    if name == "auto":
        return name
    try:
        "".encode(name)
    except (LookupError, UnicodeError):
        raise ValueError("must be auto, or an encoding such as utf-8, cp1252, cp1250, cp1251 or shift_jis") from None
    return name


def source_format(name: str) -> str:
    """Return the name of a shape of export; refuse a name that no shape has."""
    if name == "auto":
        return name
    from analytics_platform.sources.shapes.catalogue import FORMATS  # noqa: PLC0415  (imports Arrow)

    if name not in FORMATS:
        raise ValueError(f"must be one of {', '.join(FORMATS)}")
    return name


def existing_file(path: Path | None) -> Path | None:
    """Return the absolute path of a file; refuse a path that is not a file."""
    if path is None:
        return None
    if not _is_file(path):
        raise ValueError("must be an existing file")
    return absolute(path)


def label_files(value: object) -> object:
    """Return the absolute paths of a list of files such as ``a.csv,b.parquet``; refuse a path that is no file."""
    if not isinstance(value, str):
        return value
    whole = Path(value.strip())
    parts = [whole] if _is_file(whole) else [Path(part.strip()) for part in value.split(",") if part.strip()]
    if missing := next((part for part in parts if not _is_file(part)), None):
        raise ValueError(f"{missing}: must be an existing file")
    return tuple(absolute(part) for part in parts)


def _is_file(path: Path) -> bool:
    try:
        return absolute(path).is_file()
    except OSError:  # such as a name that is too long
        return False


def taxonomy_parts(value: object) -> object:
    """Return names of packs and absolute paths of files; refuse a part that is neither.

    A name of a pack goes before a file of that name, which ``./`` in front still names.
    """
    if not isinstance(value, str):
        return value
    return split_parts(value)


def split_parts(value: str) -> tuple[str, ...]:
    """Return the packs and files of a list such as ``general,my.yaml``.

    Raises:
        ValueError: If one of them is neither a pack nor a file.
    """
    if "," in value and _is_file(Path(value.strip())):  # a file whose name has a comma
        return (str(absolute(Path(value.strip()))),)
    return tuple(_taxonomy_part(part.strip()) for part in value.split(",") if part.strip())


def _taxonomy_part(part: str) -> str:
    if part in pack_names():
        return part
    if not _is_file(Path(part)):
        raise ValueError(f"{part}: must be an existing file or one of the packs {', '.join(pack_names())}")
    return str(absolute(Path(part)))


def dbt_project(path: Path) -> Path:
    """Return the absolute path of a dbt project; refuse any other folder."""
    path = absolute(path)
    try:
        present = (path / "dbt_project.yml").is_file()
    except OSError:
        present = False
    if not present:
        raise ValueError("must be the folder of a dbt project, which holds a dbt_project.yml")
    return path


def presentable(line: str) -> str:
    """Return a line about a wrong value, shortened, without passwords in addresses and without control characters."""
    line = on_one_line(_USER_IN_ADDRESS.sub("://***@", line))
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:500]} … {line[-200:]}"


def home_folder(path: Path) -> Path:
    """Return a folder as an absolute path; refuse one whose name Dagster, SQLite or dbt would misread.

    Dagster looks for its ``dagster.yaml`` by a glob, so it misses the file if the path has a wildcard. In the address
    of a SQLite database, `?` begins the options and `%41` means `A`, so the databases would be made elsewhere. dbt
    reads a backslash as a separator of folders.
    """
    path = absolute(path)
    try:
        blocked = any(above.exists() and not above.is_dir() for above in (path, *path.parents))
    except OSError as error:
        raise ValueError(f"must be a folder that can be used ({error.strerror})") from None
    if blocked:
        raise ValueError("must be a folder, or a place where one can be made")
    if _READ_ANEW.search(str(path)):
        raise ValueError(
            "must be a folder without '*', '?', '[' and '\\', and without '%' before two hexadecimal digits, "
            f"in its whole path, {str(path)!r}; name another"
        )
    return path


def lake(uri: str | None) -> str | None:
    """Return a folder as an absolute path, or an S3 location without its last slash."""
    if not uri:
        return None
    parts = urlsplit(uri)
    if "://" not in uri:
        return str(absolute(Path(uri)))
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be a folder or s3://bucket/prefix; credentials belong in AWS_ACCESS_KEY_ID and so on")
    return uri.rstrip("/")


MONGO_OFF = "off"
"""Value in the place of MongoDB's address: there is no MongoDB."""


def mongo_uri(uri: SecretStr | None) -> SecretStr | None:
    """Refuse an address with a scheme other than MongoDB's. A reference to a secret in AWS is accepted unread."""
    value = uri.get_secret_value() if uri else ""
    if value and not is_reference(value) and not value.startswith(("mongodb://", "mongodb+srv://")):
        if value.strip().casefold() != MONGO_OFF:
            raise ValueError(f"must be {MONGO_OFF}, or begin with mongodb:// or mongodb+srv://")
        return SecretStr(MONGO_OFF)
    return uri


def spans_key(key: SecretStr | None) -> SecretStr | None:
    """Refuse a key of fewer than 32 bytes. A key that AWS holds is checked at its first use."""
    value = key.get_secret_value() if key else ""
    if value and not is_reference(value) and len(value.encode()) < SPANS_KEY_BYTES:
        raise ValueError(f"must be at least {SPANS_KEY_BYTES} bytes")
    return key


def mongo_database(name: str) -> str:
    """Refuse a name that some MongoDB server would refuse."""
    if not _MONGO_NAME.fullmatch(name):
        raise ValueError("must be 1 to 63 letters, digits, _ or -")
    return name


def endpoint(url: str | None) -> str | None:
    """Refuse a URL that is not the address of an HTTP server, or that contains credentials."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be http://host:port or https://host, without credentials")
    return url
