"""What a decomposition of one of torch's operators is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


@dataclass(frozen=True)
class Decomposition:
    """An operator in terms of others.

    `compute` takes the operator's own arguments and gives its result. `applies` takes the same, the tensors with shapes
    and types only, and says whether this call needs it: what the exporter gets right is left to it.
    """

    compute: Callable[..., Any]
    applies: Callable[..., bool] = _always
