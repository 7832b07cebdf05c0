"""What the names and single values of the environment must look like; the settings say which is checked by what.

Belongs here: pure checks. Those of values return the value in its final form, or raise ``ValueError`` with the rest of
a sentence that begins with the variable's name. Does not belong here: rules across variables (``settings``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from analytics_platform.settings.aws_secrets import is_reference

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_READ_ANEW = re.compile(r"[*?[\\]|%[0-9A-Fa-f]{2}")
_MONGO_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")

SPANS_KEY_BYTES = 32  # what the sealer asks for
PREFIXES = ("ANALYTICS_", "NOCODB_")
"""Of the variables that are the platform's, whoever else has variables in the same environment."""

# What Kubernetes and Docker set in every container for a service that is called analytics or nocodb.
_SERVICE_LINK = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP)\w*)?)")


def unknown_variables(given: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a line for each of the platform's variables that it does not know: a slip of the pen, most often.

    Args:
        given: Names of the variables that are set, in capitals.
        known: Names of the variables that are read.
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
    """Refuse a day in another form than ``YYYY-MM-DD``, before it is parsed: seconds since 1970 would be taken, too."""
    if isinstance(value, str) and not _DAY.fullmatch(value.strip()):
        raise ValueError("must be a day, YYYY-MM-DD")
    return value


def home_folder(path: Path) -> Path:
    """Return a folder as an absolute path; refuse one that Dagster or dbt would take for another.

    Dagster looks for its ``dagster.yaml`` by a glob, so it overlooks the file where the path has a wildcard; in the
    address of a SQLite database `?` begins the options and `%41` means `A`, so the databases would be made elsewhere;
    and dbt takes a backslash for a separator of folders.
    """
    path = path.expanduser().absolute()
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
        return str(Path(uri).expanduser().absolute())
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be a folder or s3://bucket/prefix; credentials belong in AWS_ACCESS_KEY_ID and so on")
    return uri.rstrip("/")


def mongo_uri(uri: SecretStr | None) -> SecretStr | None:
    """Refuse an address of another scheme."""
    value = uri.get_secret_value() if uri else ""
    if value and not is_reference(value) and not value.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return uri


def spans_key(key: SecretStr | None) -> SecretStr | None:
    """Refuse a short key; one that is kept elsewhere is measured when it is used."""
    value = key.get_secret_value() if key else ""
    if value and not is_reference(value) and len(value.encode()) < SPANS_KEY_BYTES:
        raise ValueError(f"must be at least {SPANS_KEY_BYTES} bytes")
    return key


def mongo_database(name: str) -> str:
    """Refuse what some MongoDB server would refuse."""
    if not _MONGO_NAME.fullmatch(name):
        raise ValueError("must be 1 to 63 letters, digits, _ or -")
    return name


def endpoint(url: str | None) -> str | None:
    """Refuse what is not the address of an HTTP server, and one that holds credentials."""
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be http://host:port or https://host, without credentials")
    return url
