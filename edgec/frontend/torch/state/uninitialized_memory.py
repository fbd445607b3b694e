"""Checks whether a model's results depend on uninitialized memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from edgec.diag import error
from edgec.frontend.torch.fx_call import place_in_source

_UNWRITTEN = ("aten.empty", "aten.empty_like", "aten.empty_strided", "aten.empty_permuted", "aten.new_empty",
              "aten.new_empty_strided", "aten.resize")  # fmt: skip


class Filled(TorchDispatchMode):
    """While active, newly allocated memory is filled with a number."""

    def __init__(self, number: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._number = number

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        return result.fill_(self._number) if is_uninitialized(function) else result


def is_uninitialized(target: Any) -> bool:
    """Whether an operator returns uninitialized memory."""
    return str(target).rpartition(".")[0] in _UNWRITTEN


def check_initialized(program: torch.export.ExportedProgram, run: Callable[[], Sequence[torch.Tensor]]) -> None:
    """If `program` reads uninitialized memory, compare runs of the source with it filled with zeros and with ones.

    Raises `EdgecError` E0202 if the results differ: no graph can reproduce them.
    """
    nodes = (n for m in program.graph_module.modules() if isinstance(m, torch.fx.GraphModule) for n in m.graph.nodes)
    found = next((n for n in nodes if is_uninitialized(n.target)), None)
    if found is None:
        return
    with Filled(0):
        first = run()
    with Filled(1):
        second = run()
    if not all(_same(a, b) for a, b in zip(first, second, strict=True)):
        raise error(
            "E0202",
            "the model's result contains uninitialized memory",
            place=place_in_source(found),
            notes=[
                "rejected by `unwritten-memory`",
                "`torch.empty` and similar functions return memory with arbitrary contents",
            ],
            help=["create the tensor with `torch.zeros`"],
        )


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())
