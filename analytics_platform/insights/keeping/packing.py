"""Fitted objects as one safetensors file: their arrays as tensors, everything else as JSON in the file's metadata.

An object gives and takes a *state*: a dictionary of arrays, numbers, texts, and dataclasses of a closed list. Reading a
file executes nothing of it. Arrays come back with the same bytes in the same order of memory, because products of
matrices may differ in the last digit otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load, save

State = Mapping[str, Any]
_STATE, _DIGEST = "state", "sha256"
_FACTS = "facts"
"""The only key of the file's metadata, because safetensors writes several keys in no fixed order."""


class DamagedStateError(ValueError):
    """A file holds no state, or not the one that was written."""


def pack(state: State) -> bytes:
    """Return a state as the bytes of a file; equal states give equal bytes.

    Raises:
        TypeError: If the state contains an object of another class than those that a state may contain.
    """
    arrays: dict[str, np.ndarray] = {}
    packed = _pack(state, arrays)
    facts = {_STATE: packed, _DIGEST: _digest(packed, arrays)}
    return save(arrays, metadata={_FACTS: orjson.dumps(facts).decode()})


def unpack(content: bytes, classes: Sequence[type]) -> State:
    """Return the state of a file.

    Args:
        content: The bytes of the file.
        classes: The dataclasses that the state may contain.

    Raises:
        DamagedStateError: If the file holds no state of these classes, or has changed since it was written.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        facts = orjson.loads(orjson.loads(content[8 : 8 + length])["__metadata__"][_FACTS])
        arrays = load(content)
        packed = facts[_STATE]
        if facts[_DIGEST] != _digest(packed, arrays):
            raise DamagedStateError("its content is not that which was written")
        state: State = _unpack(packed, arrays, {one.__name__: one for one in classes})
    except (SafetensorError, orjson.JSONDecodeError, LookupError, TypeError, ValueError) as error:
        raise DamagedStateError(f"no state: {error}") from error
    return state


def _digest(packed: Any, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(orjson.dumps(packed))
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return a value as JSON, and put its arrays into ``arrays``."""
    match value:
        case None | bool() | str():
            return value
        case np.ndarray():
            transposed = value.flags.f_contiguous and not value.flags.c_contiguous
            name = str(len(arrays))
            arrays[name] = np.ascontiguousarray(value.T if transposed else value)
            return {"array": name, "transposed": transposed}
        case int() | np.integer():
            return int(value)
        case float() | np.floating():
            return {"float": float(value).hex()}
        case tuple() | list():
            if all(isinstance(one, str) for one in value):
                return {"texts": value}
            return {"items": [_pack(one, arrays) for one in value]}
        case Mapping():
            return {"mapping": {name: _pack(one, arrays) for name, one in value.items()}}
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"a state cannot contain a {type(value).__name__}")
    of_fields = {one.name: _pack(getattr(value, one.name), arrays) for one in fields(value)}
    return {"class": type(value).__name__, "fields": of_fields}


def _unpack(packed: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, type]) -> Any:
    match packed:
        case {"array": name, "transposed": transposed}:
            array = np.array(arrays[name])  # a copy, which begins where arrays of numpy begin
            return array.T if transposed else array
        case {"float": text}:
            return float.fromhex(text)
        case {"texts": texts}:
            return tuple(texts)
        case {"items": items}:
            return tuple(_unpack(one, arrays, classes) for one in items)
        case {"mapping": mapping}:
            return {name: _unpack(one, arrays, classes) for name, one in mapping.items()}
        case {"class": name, "fields": of_fields}:
            return classes[name](**{field: _unpack(one, arrays, classes) for field, one in of_fields.items()})
    return packed
