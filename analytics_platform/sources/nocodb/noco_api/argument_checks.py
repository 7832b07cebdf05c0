"""Refuse impossible settings with an error that names the parameter and its value."""

from __future__ import annotations


def require(allowed: bool, parameter: str, value: object, expected: str) -> None:
    """Refuse a setting unless it is allowed.

    Raises:
        ValueError: If ``allowed`` is false; names parameter, value and expected value.
    """
    if not allowed:
        raise ValueError(f"{parameter} is {value!r}; expected {expected}")


def require_positive(**parameters: float) -> None:
    """Refuse numbers that are not above 0, including NaN.

    Raises:
        ValueError: Names the first such parameter and its value.
    """
    for parameter, value in parameters.items():
        require(value > 0, parameter, value, "a number above 0")
