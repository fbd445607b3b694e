"""The table of operations, and the context that operations can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgec.runners.mil.program import Output


@dataclass
class TensorList:
    """The value of a MIL list: tensors of one shape, or None for elements that were never written."""

    items: list[Any]
    dynamic: bool


@dataclass(frozen=True)
class Context:
    """What an operation can use besides its inputs: the opset (15 for iOS 15 …), declared outputs, random numbers."""

    opset: int
    outputs: tuple[Output, ...]
    random: np.random.Generator = field(repr=False)


@dataclass(frozen=True)
class Op:
    """One MIL operation.

    `run` takes the MIL inputs by name as float32, integer or bool arrays (text as `str`) and returns the output, or a
    tuple of them. `exact`: it only moves, selects or compares values, so that float16 results need no rounding.
    `context`: `run` takes a `Context` as its first argument.
    """

    run: Callable[..., Any]
    exact: bool = False
    context: bool = False


Table = dict[str, Op]


def computed(**functions: Callable[..., Any]) -> Table:
    """Operations whose float16 results are rounded."""
    return {name.rstrip("_"): Op(run) for name, run in functions.items()}


def exact(**functions: Callable[..., Any]) -> Table:
    """Operations that only move, select or compare values."""
    return {name.rstrip("_"): Op(run, exact=True) for name, run in functions.items()}


def merged(tables: Iterable[Table]) -> Table:
    """One table. Raises ValueError if an operation is in two of them."""
    result: Table = {}
    for table in tables:
        twice = result.keys() & table.keys()
        if twice:
            raise ValueError(f"defined twice: {', '.join(sorted(twice))}")
        result.update(table)
    return result
