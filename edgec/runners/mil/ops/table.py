"""What the table of operations holds, and what an operation may know of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgec.runners.mil.program import Output


@dataclass
class TensorList:
    """The value of a MIL list: tensors of one shape, or None where nothing was written."""

    items: list[Any]
    dynamic: bool


@dataclass(frozen=True)
class Context:
    """What an operation may ask beside its inputs: the opset (15 for iOS 15 …) and its declared outputs."""

    opset: int
    outputs: tuple[Output, ...]
    random: np.random.Generator = field(repr=False)


@dataclass(frozen=True)
class Op:
    """One MIL operation.

    `run` takes the MIL inputs by name as float32, integer or bool arrays (text as `str`) and returns the output, or a
    tuple of them. `exact` says that it only moves, selects or compares values, so that a float16 result needs no
    rounding. `context` says that `run` takes a `Context` first.
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
    """One table; an operation that is in two of them is a mistake."""
    result: Table = {}
    for table in tables:
        twice = result.keys() & table.keys()
        if twice:
            raise ValueError(f"defined twice: {', '.join(sorted(twice))}")
        result.update(table)
    return result
