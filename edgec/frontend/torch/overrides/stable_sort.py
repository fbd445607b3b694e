"""Stable sorting, as in ONNX: torch leaves the order of equal elements undefined by default."""

from __future__ import annotations

from typing import Any

import torch

from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode

_SORTS = frozenset({torch.sort, torch.argsort, torch.Tensor.sort, torch.Tensor.argsort})


class StableSorts(FunctionMode):
    """While active, torch's sorts are stable, so that the order of a result is well defined."""

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        if function not in _SORTS or kwargs.get("out") is not None or kwargs.get("stable"):
            return function(*args, **kwargs)
        named = dict(zip(("dim", "descending"), args[1:], strict=False))
        return function(*args[:1], **{**named, **kwargs, "stable": True})
