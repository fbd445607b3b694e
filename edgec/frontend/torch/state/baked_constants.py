"""A final check: constants of the exported program that contain values computed from the example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from edgec.diag import Place as Line
from edgec.diag import error
from edgec.frontend.torch.overrides.function_mode import tensors_among
from edgec.frontend.torch.state.dependence import OfInputs, depends

_MOST = 256
"""The largest number of elements that are compared."""


_NARROWEST = 2
"""The smallest size of a float in bytes that torch can round; it has no such kernels for 8-bit floats."""


class Computed(OfInputs):
    """While active, `values` collects the small float tensors computed from the inputs."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__(inputs)
        self.values: list[torch.Tensor] = []

    def call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        result = super().call(function, args, kwargs)
        self.values += [t.detach().clone() for t in tensors_among(result) if depends(t) and _tells(t)]
        return result


def check_constants(
    constants: Iterable[Any], example: Computed, other: Callable[[], Computed], line: Callable[[], Line | None]
) -> None:
    """Raise `EdgecError` E0219, at a `line`, for a constant equal to a value that the first call computed from the
    example and that no other call computes.
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
    """Whether an equal value cannot be a coincidence: floats that are not integers."""
    if not value.is_floating_point() or value.layout is not torch.strided or not 0 < value.numel() <= _MOST:
        return False
    if value.itemsize < _NARROWEST:
        return False
    return bool((value != value.round()).any())
