"""Refusing settings that cannot work, in words that name the parameter and its value."""

from __future__ import annotations


def require(allowed: bool, parameter: str, value: object, expected: str) -> None:
    """Refuse a setting.

    Raises:
        ValueError: If ``allowed`` is false; names parameter, value and what is expected.
    """
    if not allowed:
        raise ValueError(f"{parameter} is {value!r}; expected {expected}")


def require_positive(**parameters: float) -> None:
    """Refuse numbers that are not above zero (or are not numbers at all, NaN).

    Raises:
        ValueError: Names the first such parameter and its value.
    """
    for parameter, value in parameters.items():
        require(value > 0, parameter, value, "a number above 0")
