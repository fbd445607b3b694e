"""torch's own quantization: fake quantizers with fixed ranges are supported; integer modules and observers are not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from edgec.diag import error

_INTEGER = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")
"""Packages of modules with packed integer weights, which only torch's own kernels can read."""


def check_quantized(module: torch.nn.Module) -> None:
    """Raise `EdgecError` E0202 for integer modules, and for fake quantizers that update their ranges in every call."""
    integer = [(path, m) for path, m in module.named_modules() if type(m).__module__.startswith(_INTEGER)]
    if integer:
        path, found = integer[0]
        raise error(
            "E0202",
            f"`{path or type(module).__name__}` uses torch's packed integer kernels",
            notes=[f"it is a `{type(found).__module__}.{type(found).__name__}`, one of {len(integer)} such modules"],
            help=["give the model before `convert` or `quantize_dynamic`, with its fake quantizers if it has any"],
        )
    open_ones = [path for path, m in _fake_quantizers(module) if bool(m.observer_enabled[0])]
    if open_ones:
        raise error(
            "E0202",
            f"the range of `{open_ones[0]}` is not fixed: it changes in every call",
            notes=[f"{len(open_ones)} fake quantizers are still observing"],
            help=["call `model.apply(torch.ao.quantization.disable_observer)` before the build"],
        )


@contextlib.contextmanager
def plain_fake_quantizers(module: torch.nn.Module) -> Iterator[None]:
    """Replace fake quantizers by the operators that torch exports, without observers. Their ranges are fixed."""
    changed = [m for _, m in _fake_quantizers(module)]
    for found in changed:
        found.forward = _with_fixed_range(found)
    try:
        yield
    finally:
        for found in changed:
            del found.forward


def _fake_quantizers(module: torch.nn.Module) -> list[tuple[str, Any]]:
    """The fake quantizers by path; none if torch's quantization was never imported."""
    known = sys.modules.get("torch.ao.quantization.fake_quantize")
    if known is None:
        return []
    kinds = (known.FakeQuantize, known.FusedMovingAvgObsFakeQuantize)
    return [(path, m) for path, m in module.named_modules() if isinstance(m, kinds)]


def _with_fixed_range(quantizer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The quantizer's computation, with its range read before tracing."""
    observer = quantizer.activation_post_process
    low, high = observer.quant_min, observer.quant_max
    if not bool(quantizer.fake_quant_enabled[0]):
        return lambda x: x
    if quantizer.is_per_channel:
        scale, zero = quantizer.scale.detach().clone(), quantizer.zero_point.to(torch.int32)
        return lambda x: torch.fake_quantize_per_channel_affine(x, scale, zero, quantizer.ch_axis, low, high)
    step, zero_step = float(quantizer.scale), int(quantizer.zero_point)
    return lambda x: torch.fake_quantize_per_tensor_affine(x, step, zero_step, low, high)
