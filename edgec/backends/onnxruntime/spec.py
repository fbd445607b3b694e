"""The ONNX Runtime backend's properties that are needed before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgec.backends.onnxruntime.options import onnxruntime_options
from edgec.spec.backend import BackendSpec, Rewriting
from edgec.spec.numerics import Numerics
from edgec.spec.reader import Checker
from edgec.spec.target import Target

if TYPE_CHECKING:
    from edgec.backends.base import Backend


def _load() -> Backend:
    from edgec.backends.onnxruntime.backend import ONNXRUNTIME

    return ONNXRUNTIME


def _rewriting() -> Rewriting:
    from edgec.backends.onnxruntime.backend import OPTIONAL, OWN

    return Rewriting(OWN, OPTIONAL)


def _check(c: Checker, target: Target) -> None:
    if target.numerics != Numerics():
        c.problem("an onnxruntime target computes and stores float32", "numerics")


SPEC = BackendSpec("onnxruntime", "ONNX Runtime", onnxruntime_options, _load, _rewriting, check=_check)
