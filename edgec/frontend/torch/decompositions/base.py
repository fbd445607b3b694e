"""The type of decompositions of torch's operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


@dataclass(frozen=True)
class Decomposition:
    """The definition of an operator in terms of others.

    `compute` takes the operator's arguments and returns its result. `applies` takes the same arguments, with tensors
    that have shapes and types only, and says whether this call is decomposed; otherwise it is left to the exporter.
    """

    compute: Callable[..., Any]
    applies: Callable[..., bool] = _always
