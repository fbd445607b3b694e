"""Resizes by factors that are not a ratio of the sizes, compared with eager PyTorch on random images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.sdk.ordinary import Functions, differences


def _by(**how: object) -> object:
    return lambda x: F.interpolate(x, **how)  # type: ignore[arg-type]


RESIZES: Functions = {
    f"{mode}-{factor}-{align}": _by(scale_factor=factor, mode=mode, align_corners=align)  # type: ignore[misc]
    for mode, align in (
        ("bilinear", True),
        ("bilinear", False),
        ("bicubic", True),
        ("nearest", None),
        ("nearest-exact", None),
    )
    for factor in (1.7, (0.6, 2.3), (2.3, 0.7), 0.55)
}


@pytest.mark.parametrize("target", ["android", "rtx", "iphone"])
def test_factors(target: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = [(torch.randn(1, 2, 20, 27),)]
    assert differences(RESIZES, (torch.ones(1, 2, 20, 27),), inputs, target, tmp_path, absolute=1e-5) == []


REPEATED: Functions = {
    "twice": lambda x: F.interpolate(x, scale_factor=2),
    "to a size": lambda x: F.interpolate(x, size=(15, 21)),
    "exact": lambda x: F.interpolate(x, scale_factor=(3, 1), mode="nearest-exact"),
}


@pytest.mark.parametrize("target", ["android", "iphone"])
def test_what_is_not_finite_stays_at_its_place(target: str, tmp_path: Path) -> None:
    """Elements are repeated, not multiplied, so NaN and infinity do not spread."""
    x = torch.randn(1, 2, 5, 7)
    x[0, 0, 1, 2], x[0, 1, 3, 3], x[0, 1, 0, 0] = float("inf"), -float("inf"), float("nan")
    assert differences(REPEATED, (torch.randn(1, 2, 5, 7),), [(x,)], target, tmp_path) == []
