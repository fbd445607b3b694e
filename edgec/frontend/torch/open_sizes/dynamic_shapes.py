"""Dynamic dimensions of an exported module: the traced call, the constraints passed to torch, and their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from edgec.diag import EdgecError
from edgec.frontend.dynamic import DynamicDim, check_dims, fitting, resized
from edgec.frontend.imported import Array, ImportedModel
from edgec.frontend.torch.call import Call
from edgec.frontend.torch.open_sizes.guards import Assumed
from edgec.frontend.torch.request import ExportRequest
from edgec.ir.dims import rename_dims, set_dim_range
from edgec.runners.onnxruntime import OnnxRuntimeRunner


def roomy(call: Call, request: ExportRequest) -> Call:
    """The call with dynamic dimensions of at least two: torch specializes on a size of one."""
    if not request.dynamic:
        return call
    check_dims(request.dynamic, {name: array.shape for name, array in _arrays(call, request).items()})
    given = call_sizes(call, request) | dict(request.attempt.traced_at)
    return at_sizes(call, request, fitting(request.dynamic, given))


def call_sizes(call: Call, request: ExportRequest) -> dict[str, int]:
    """The sizes of a call's dynamic dimensions, by name."""
    shapes = {name: t.shape for name, t in zip(_tensor_names(request, call), call.tensors(), strict=True)}
    return {d.name: int(shapes[d.input][d.axis]) for d in request.dynamic}


def at_sizes(call: Call, request: ExportRequest, sizes: Mapping[str, int]) -> Call:
    """The call with dynamic dimensions resized, its elements repeated in order."""
    larger = resized(_arrays(call, request), request.dynamic, sizes)
    return call.with_tensors([torch.from_numpy(array.copy()) for array in larger.values()])


def _arrays(call: Call, request: ExportRequest) -> dict[str, Array]:
    return dict(zip(_tensor_names(request, call), (t.detach().numpy() for t in call.tensors()), strict=True))


def dynamic_shapes(request: ExportRequest, call: Call) -> dict[str, Any] | None:
    """The `dynamic_shapes` argument of `torch.export`."""
    if not request.dynamic:
        return None
    dims = {d.name: _torch_dim(d) for d in request.dynamic}
    inputs: dict[str, dict[int, Any]] = {}
    for d in request.dynamic:
        inputs.setdefault(d.input, {})[d.axis] = dims[d.name]
    own = dict(zip(_tensor_names(request, call), call.names(request.module), strict=True))
    return call.dynamic_shapes(request.module, {own[name]: axes for name, axes in inputs.items()})


def _torch_dim(dim: DynamicDim) -> Any:
    if dim.multiple == 1:
        return torch.export.Dim(dim.name, min=dim.low, max=dim.high)
    parts = torch.export.Dim(f"{dim.name}_parts", min=dim.least // dim.multiple, max=dim.largest // dim.multiple)
    return dim.multiple * parts


def _tensor_names(request: ExportRequest, call: Call) -> list[str]:
    return list(request.input_names) or call.names(request.module)


def check_sizes(request: ExportRequest, call: Call, assumed: Assumed) -> None:
    """Check that the assumptions of a trace hold for every size.

    Raises `MoreGeneralError` if the path of other sizes may be valid for all, `NarrowedError` if the trace is valid
    only for multiples of some size, `EdgecError` E0202 if not for these either.
    """
    names = _tensor_names(request, call)
    axes = [{d.axis: d.name for d in request.dynamic if d.input == name} for name in names]
    request.attempt.check(request.dynamic, assumed.listed(axes), call_sizes(call, request))


def agrees_at(found: ImportedModel, rows: Sequence[Mapping[str, int]]) -> bool:
    """Whether the graph computes the source's outputs at these sizes."""
    if not rows:
        return True
    with OnnxRuntimeRunner(found.model, optimize=False) as runner:
        for row in rows:
            inputs = resized(found.examples, found.dynamic, row)
            try:
                expected, given = found.reference.run(inputs), runner.run(inputs)
            except EdgecError:
                return False
            if not all(_is_close(expected[name], given[name]) for name in expected):
                return False
    return True


def _is_close(a: Array, b: Array) -> bool:
    scale = float(np.abs(a).max(initial=0)) if a.dtype.kind == "f" else 0.0
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=0, atol=_FAR * scale, equal_nan=True))


_FAR = 1e-3
"""Relative to the largest magnitude; a different path differs by more. The checks of a build are stricter."""


def name_dims(model: ir.Model, dims: Sequence[DynamicDim]) -> None:
    """Give torch's symbols the user's names, with their ranges. A symbol may count multiples."""
    inputs = {v.name: v for v in model.graph.inputs}
    symbols, whole = {}, {}
    for dim in dims:
        shape = inputs[dim.input].shape
        size = shape[dim.axis] if shape is not None else None
        if isinstance(size, ir.SymbolicDim) and size.value is not None:
            if dim.multiple == 1:
                symbols[str(size.value)] = dim.name
            else:
                whole[str(size.value)] = dim.name
                symbols.update(
                    dict.fromkeys(re.findall(r"[A-Za-z]\w*", str(size.value)), f"({dim.name}//{dim.multiple})")
                )
        set_dim_range(model, dim.name, dim.least, dim.largest, dim.choices)
    rename_dims(model, symbols, whole)
