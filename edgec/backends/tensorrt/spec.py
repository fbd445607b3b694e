"""The TensorRT backend's properties that are needed before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgec.backends.tensorrt.options import elsewhere, tensorrt_options
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.numerics import Numerics
from edgec.spec.optional_package import OptionalPackage
from edgec.spec.reader import Checker
from edgec.spec.target import Target

if TYPE_CHECKING:
    from edgec.backends.base import Backend


def _load() -> Backend:
    from edgec.backends.tensorrt.backend import TENSORRT

    return TENSORRT


def _rewriting() -> Rewriting:
    from edgec.backends.tensorrt.backend import OPTIONAL, OWN

    return Rewriting(OWN, OPTIONAL)


def _check(c: Checker, target: Target) -> None:
    if target.numerics != Numerics():
        c.problem("a tensorrt target computes and stores float32", "numerics")


SPEC = BackendSpec(
    "tensorrt",
    "TensorRT",
    tensorrt_options,
    _load,
    _rewriting,
    check=_check,
    packages=(
        OptionalPackage("tensorrt_rtx_cu13_bindings", "tensorrt_rtx_bindings", "TensorRT-RTX engines", "tensorrt"),
    ),
    elsewhere=elsewhere,
)
