"""Cases of PyTorch's own operator database: an operator called on a few of its sample inputs, as a module."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

SAMPLES = 3
"""Samples of each operator: the first, the last and one in the middle."""


@dataclass(frozen=True)
class Case:
    """One call. `op` is the database's name with its variant; the call is drawn from a fixed seed."""

    name: str
    op: str
    index: int


class Called(nn.Module):
    """The operator with its tensors as inputs and all other arguments fixed."""

    def __init__(self, function: Any, spec: Any, fixed: list[Any], determined: Any = None) -> None:
        super().__init__()
        self._function, self._spec, self._fixed, self._determined = function, spec, fixed, determined

    def forward(self, *tensors: torch.Tensor) -> Any:
        given = iter(tensors)
        leaves = [next(given) if leaf is TENSOR else leaf for leaf in self._fixed]
        args, kwargs = pytree.tree_unflatten(leaves, self._spec)
        found = self._function(*args, **kwargs)
        return self._determined(found) if self._determined else found


class TENSOR:  # a class, since copies of a module keep its identity
    """A placeholder for a tensor argument."""


UP_TO_SIGN = frozenset({"svd", "linalg.svd", "linalg.eigh"})
"""Operators whose vectors have an arbitrary sign: compared is what the database's own gradient tests compare."""


@functools.cache
def operators() -> dict[str, Any]:
    """The entries of the database that support float32, by name."""
    from torch.testing._internal.common_methods_invocations import op_db

    found = {}
    for info in op_db:
        if torch.float32 in info.dtypes:
            found[f"{info.name}.{info.variant_test_name}".rstrip(".")] = info
    return found


def names() -> list[str]:
    """The names of all cases, without drawing samples."""
    return [f"{op}[{i}]" for op in operators() for i in range(SAMPLES)]


def operator_of(case: str) -> str:
    """The operator's name with its variant."""
    return case.rpartition("[")[0]


def present() -> list[str]:
    """All cases that can be drawn here."""
    return [name for name in names() if _is_drawn(name)]


def _is_drawn(name: str) -> bool:
    try:
        return build(name) is not None
    except Exception:  # samples that the database itself cannot draw here
        return False


def build(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]] | None:
    """The module and its inputs; None if the operator has fewer distinct samples."""
    op, _, index = name.rstrip("]").rpartition("[")
    torch.manual_seed(0)
    info = operators()[op]
    samples = list(info.sample_inputs("cpu", torch.float32, requires_grad=False))
    chosen = sorted({0, len(samples) // 2, len(samples) - 1} - {-1})
    if int(index) >= len(chosen):
        return None
    sample = samples[chosen[int(index)]]
    leaves, spec = pytree.tree_flatten(((sample.input, *sample.args), sample.kwargs))
    tensors = tuple(leaf.detach().clone() for leaf in leaves if isinstance(leaf, torch.Tensor))
    fixed = [TENSOR if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return Called(info.op, spec, fixed, sample.output_process_fn_grad if op in UP_TO_SIGN else None), tensors
