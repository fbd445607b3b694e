"""The registry of operators of random networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.random_networks.network import Draw, Drawn, Value

OPERATORS: dict[str, Callable[[Draw], Drawn]] = {}


def operator(function: Callable[[Draw], Drawn]) -> Callable[[Draw], Drawn]:
    """Register an operator under its name."""
    OPERATORS[function.__name__] = function
    return function


def layer(name: str, value: Value, function: Callable[..., Any], *more: Value) -> Drawn:
    return Drawn(name, (value, *more), function)
