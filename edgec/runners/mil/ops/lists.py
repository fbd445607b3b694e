"""MIL lists, and `classify`. A list is a value: writing returns a new one."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import BY_NAME
from edgec.runners.mil.ops.arguments import integer, integers
from edgec.runners.mil.ops.table import Table, TensorList, exact


def _make_list(
    init_length: Array | int = 1, dynamic_length: Array | bool = True, elem_shape: list[Array | str] | None = None,
    dtype: str = "fp32",
) -> TensorList:  # fmt: skip
    """A list whose elements are zeros if their shape is known."""
    sizes = elem_shape or []
    known = not any(isinstance(size, str) for size in sizes)
    target = BY_NAME[dtype].numpy
    blank = np.zeros([integer(s) for s in sizes if not isinstance(s, str)], "float32" if target.kind == "f" else target)
    return TensorList([blank if known else None] * integer(init_length), bool(dynamic_length))


def _grown(ls: TensorList, index: int) -> TensorList:
    items = list(ls.items)
    if index >= len(items):
        if not ls.dynamic:
            raise IndexError(f"index {index} is out of range for a list of fixed length {len(items)}")
        blank = np.zeros_like(items[0]) if items and items[0] is not None else None
        items += [blank] * (index + 1 - len(items))
    return TensorList(items, ls.dynamic)


def _list_write(ls: TensorList, index: Array, value: Array) -> TensorList:
    result = _grown(ls, integer(index))
    result.items[integer(index)] = value
    return result


def _list_read(ls: TensorList, index: Array) -> Array:
    value = ls.items[integer(index)]
    if value is None:
        raise IndexError(f"nothing was written at index {integer(index)} of the list")
    return np.asarray(value)


def _list_gather(ls: TensorList, indices: Array) -> Array:
    return np.stack([_list_read(ls, np.asarray(i)) for i in integers(indices)])


def _list_scatter(ls: TensorList, indices: Array, value: Array) -> TensorList:
    for index, item in zip(integers(indices), value, strict=True):
        ls = _list_write(ls, np.asarray(index), item)
    return ls


def _classify(probabilities: Array, classes: list[Array | str]) -> tuple[Array, Array]:
    """The label of the largest probability, and the probabilities in the order of the classes."""
    flat = probabilities.reshape(-1)
    return np.asarray(classes[int(flat.argmax())]), flat


OPS: Table = exact(
    make_list=_make_list, list_length=lambda ls: np.asarray(len(ls.items), np.int32), list_write=_list_write,
    list_read=_list_read, list_gather=_list_gather, list_scatter=_list_scatter, classify=_classify,
)  # fmt: skip
