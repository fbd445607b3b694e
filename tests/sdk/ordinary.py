"""Functions built for a target, run on given inputs, and compared with eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

import edgec
from edgec.artifact.shown import Shown
from edgec.runners.open import open_runner

Inputs = tuple[torch.Tensor, ...]
Functions = Mapping[str, Callable[..., torch.Tensor]]

EXACT = {"android": (), "rtx": (), "iphone": ("numerics.compute=float32",)}
"""Settings with which each target computes in float32."""


class _Several(nn.Module):
    def __init__(self, functions: Functions) -> None:
        super().__init__()
        self._functions = functions

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(f(*inputs) for f in self._functions.values())


def differences(
    functions: Functions,
    example: Inputs,
    inputs: Sequence[Inputs],
    target: str,
    out: Path,
    tolerance: float = 1e-5,
    absolute: float = 1e-37,
) -> list[str]:
    """What the artifact of all functions computes differently from PyTorch.

    Finite values agree to `tolerance` of their own magnitude and `absolute`; NaN and infinities are equal; signs of
    zeros are ignored.
    """
    module = _Several(functions).eval()
    built = edgec.build(module, example, target=target, out=out, name="m", settings=EXACT[target])
    found = [d.message for d in built.failures]
    with open_runner(built.folder / built.manifest.artifact.path, as_source=Shown()) as runner:
        for given in inputs:
            with torch.no_grad():
                wanted = module(*(x.clone() for x in given))
            names = [i.name for i in built.manifest.inputs]
            got = runner.run({name: x.numpy() for name, x in zip(names, given, strict=True)})
            for name, out_info, want in zip(functions, built.manifest.outputs, wanted, strict=True):
                found += _difference(name, want.numpy(), got[out_info.name], (tolerance, absolute))
    return found


def _difference(name: str, want: np.ndarray, got: np.ndarray, tolerances: tuple[float, float]) -> list[str]:
    assert want.shape == got.shape
    a, b = want.astype(np.float64).reshape(-1), got.astype(np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        close = np.isfinite(a) & (np.abs(a - b) <= tolerances[0] * np.abs(a) + tolerances[1])
    same = (a == b) | (np.isnan(a) & np.isnan(b)) | close
    return [f"{name}: [{i}] is {b[i]}, not {a[i]}" for i in np.flatnonzero(~same)]
