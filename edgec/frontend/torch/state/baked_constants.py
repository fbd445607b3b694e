"""A last guard, whatever way a value took: constants of the exported program that the example's values are found in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from edgec.diag import Place as Line
from edgec.diag import error
from edgec.frontend.torch.overrides.function_mode import tensors_among
from edgec.frontend.torch.state.dependence import OfInputs, depends

_MOST = 256
"""Elements up to which values are looked at."""


_NARROWEST = 2
"""Bytes of a float that torch rounds; it has no such kernels for those of 8 bits."""


class Computed(OfInputs):
    """While active, `values` are the small tensors of floats that are computed of the inputs."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__(inputs)
        self.values: list[torch.Tensor] = []

    def call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """As `FunctionMode` says."""
        result = super().call(function, args, kwargs)
        self.values += [t.detach().clone() for t in tensors_among(result) if depends(t) and _tells(t)]
        return result


def check_constants(
    constants: Iterable[Any], example: Computed, other: Callable[[], Computed], line: Callable[[], Line | None]
) -> None:
    """Raises `EdgecError` E0219, at a `line`, for a constant that equals what the first call computed of the example,
    and no other call computes.
    """
    met = [c for c in constants if isinstance(c, torch.Tensor) and _tells(c) and _among(c, example.values)]
    if met and not all(_among(c, found.values) for found in [other()] for c in met):
        raise error(
            "E0219",
            "the exported graph contains a constant that was computed from the example",
            place=line(),
            notes=["the module keeps the value between calls", "rejected by `memory-hidden`"],
            help=["compute it in each call, or keep state in a buffer: `register_buffer`"],
        )


def _among(constant: torch.Tensor, values: Iterable[torch.Tensor]) -> bool:
    return any(v.shape == constant.shape and v.dtype == constant.dtype and torch.equal(v, constant) for v in values)


def _tells(value: torch.Tensor) -> bool:
    """Whether it equals something else by no accident: floats that are not whole."""
    if not value.is_floating_point() or value.layout is not torch.strided or not 0 < value.numel() <= _MOST:
        return False
    if value.itemsize < _NARROWEST:
        return False
    return bool((value != value.round()).any())
