"""The operations of MIL (iOS 15 to iOS 18) as functions on numpy arrays, one file for each family."""

from edgec.runners.mil.ops import (
    activation,
    constexpr,
    conv,
    elementwise,
    gather_scatter,
    image,
    linear,
    lists,
    norm,
    pool,
    random,
    recurrent,
    reduce,
    sampling,
    shape,
    tensor,
)
from edgec.runners.mil.ops.table import Context, Op, Table, TensorList, merged

# `cond`, `while_loop`, `const`, `read_state` and `write_state` act on the run itself: see `evaluate.py`.
OPS: Table = merged(
    module.OPS
    for module in (
        activation, constexpr, conv, elementwise, gather_scatter, image, linear, lists, norm, pool, random, recurrent,
        reduce, sampling, shape, tensor,
    )
)  # fmt: skip

__all__ = ["OPS", "Context", "Op", "TensorList"]
