"""Converts torch's exceptions during export or translation to edgec's errors: what failed, where, and what to do."""

from __future__ import annotations

import re

from torch._subclasses.fake_tensor import DynamicOutputShapeException, UnsupportedOperatorException

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.frontend.extensions import WAY_OUT
from edgec.frontend.user_code import place_of_failure

_FIXED = re.compile(r"You marked (\w+) as dynamic but your code specialized it to be a constant \((\d+)\)")
"""torch's message that a dynamic dimension works at one size only."""

_OPERATOR = re.compile(r"\b(?:aten|prims|torchvision|\w+)[.:]{1,2}\w+(?:\.\w+)?")
"""An operator as written in torch's messages: `aten.linalg_lstsq.default`."""


def refusal(failure: BaseException, doing: str) -> EdgecError:
    """E0202 for an exception of torch while `doing` ("tracing", "translating to ONNX") a model that runs eagerly."""
    cause = failure
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if fixed := _FIXED.findall(str(cause)):
        (name, size), *_ = fixed
        return error(
            "E0202",
            f"dimension `{name}` cannot be open: the model works only at size {size}",
            notes=["rejected by `dimension-fixed`"],
            help=["give every dimension that must be equal to it the same name, or leave it fixed"],
        )
    if isinstance(cause, UnsupportedOperatorException):
        return _without_shapes(cause)
    if isinstance(cause, DynamicOutputShapeException):
        name = (_OPERATOR.findall(str(cause)) or [str(cause)])[0]
        return error(
            "E0202",
            f"`{name}` cannot be traced: the shapes of its results depend on the data",
            place=place_of_failure(cause) or place_of_failure(failure),
            notes=["rejected by `shapes-of-data`"],
            help=[WAY_OUT],
        )
    return error(
        "E0202",
        f"the model runs, but {doing} it for a graph fails here",
        place=place_of_failure(cause) or place_of_failure(failure),
        notes=[said("torch", f"{type(cause).__name__}: {_first_line(cause)}")],
        help=[
            "write this line with other operations of torch, or define what it computes in a file of your own: "
            "`--extension my_ops.py` (`edgec explain extensions`)"
        ],
    )


def _without_shapes(cause: UnsupportedOperatorException) -> EdgecError:
    name = cause.func._schema.name
    return error(
        "E0202",
        f"the shapes of the results of `{name}` are not known without running it",
        place=place_of_failure(cause),
        notes=["rejected by `operator-without-fake`", "torch traces a model on tensors without data"],
        help=[f"register `@torch.library.register_fake('{name}')`, a function that returns empty results"],
    )


def _first_line(cause: BaseException) -> str:
    return next((line for line in str(cause).splitlines() if line.strip()), "")
