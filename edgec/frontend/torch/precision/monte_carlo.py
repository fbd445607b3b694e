"""Eager PyTorch with random rounding of float operators: Monte Carlo arithmetic, in double precision.

Operands and results of operators that round are perturbed by up to some roundings of float32 (D. S. Parker, "Monte
Carlo Arithmetic", UCLA, 1997). The resulting change is what another valid order of the same float32 operations may
cause.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from edgec.frontend.torch.precision.double import writes

HALF_UNIT = 2.0**-24
"""Half a unit in the last place of float32, relative."""

_EXACT = frozenset(
    """
    abs alias amax amin argmax argmin as_strided cat ceil chunk clamp clamp_max clamp_min clone constant_pad_nd
    contiguous copy copy_ copysign detach diagonal embedding expand fake_quantize_per_channel_affine_cachemask
    fake_quantize_per_tensor_affine_cachemask fill floor floor_divide flip fmax fmin fmod frac gather hardtanh
    heaviside im2col index index_select index_put isfinite lift_fresh lift_fresh_copy masked_fill
    masked_scatter masked_select max max_pool2d_with_indices max_pool3d_with_indices maximum min minimum
    nan_to_num neg new_empty new_full new_ones new_zeros permute pixel_shuffle pixel_unshuffle reflection_pad1d
    reflection_pad2d reflection_pad3d relu relu_ remainder repeat replication_pad1d replication_pad2d
    replication_pad3d reshape roll round scatter select select_scatter sign slice slice_scatter split
    split_with_sizes squeeze stack t take threshold transpose tril triu trunc unbind unfold unsqueeze
    upsample_nearest1d upsample_nearest2d upsample_nearest3d view where zeros_like _reshape_alias _to_copy
    _unsafe_view
    """.split()
)
"""aten operators that return elements of their operands, or numbers that every correct implementation agrees on."""


_OF_ORDER = frozenset("argsort kthvalue median mode msort nanmedian sort topk".split())
"""Operators whose order of equal elements is undefined in PyTorch: every operand is perturbed to avoid ties."""


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no annotations there
    """While active, every operator that rounds receives operands perturbed by up to that many roundings; seeded."""

    def __init__(self, roundings: float, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._off = roundings * HALF_UNIT
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operator."""
        if func.namespace == "aten" and func._opname in _OF_ORDER:
            args = tree_map(self._apart, args)
        elif func.namespace == "aten" and func._opname not in _EXACT and not func.is_view and not writes(func):
            result = func(*tree_map(self._rounded, args), **(kwargs or {}))
            return tree_map(self._rounded, result)
        return func(*args, **(kwargs or {}))

    def _apart(self, operand: Any) -> Any:
        """Perturb by a rounding of the largest element."""
        if not isinstance(operand, torch.Tensor) or operand.dtype != torch.float64 or operand.numel() == 0:
            return operand
        noise = torch.rand(operand.shape, generator=self._generator, dtype=torch.float64)
        return operand + self._off * (operand.abs().amax() or 1.0) * (2 * noise - 1)

    def _rounded(self, operand: Any) -> Any:
        if not isinstance(operand, torch.Tensor) or operand.dtype != torch.float64 or operand.numel() == 0:
            return operand
        noise = torch.rand(operand.shape, generator=self._generator, dtype=torch.float64)
        return operand * (1 + self._off * (2 * noise - 1))
