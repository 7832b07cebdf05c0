"""What a single value of the environment must look like; the settings say which variable is checked by what.

Belongs here: pure checks, each of which returns the value in its final form or raises ``ValueError`` with the rest of
a sentence that begins with the variable's name. Does not belong here: rules across variables (``settings``).
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MONGO_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


def day(value: object) -> object:
    """Refuse a day in another form than ``YYYY-MM-DD``, before it is parsed: seconds since 1970 would be taken, too."""
    if isinstance(value, str) and not _DAY.fullmatch(value.strip()):
        raise ValueError("must be a day, YYYY-MM-DD")
    return value


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
    if uri is not None and not uri.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("must begin with mongodb:// or mongodb+srv://")
    return uri


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
