"""Checks between passes: the graph is well formed and still computes the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from edgec.diag import EdgecError, error
from edgec.diag.foreign import said
from edgec.ir.model import Model, all_graphs, all_nodes
from edgec.passes.base import AfterPass

Array = NDArray[np.generic]
Evaluate = Callable[[Model, Mapping[str, Array]], list[Array]]
"""Runs a graph of ONNX's own operators."""

TOLERANCE = 1e-4
"""Largest float32 error after a pass, relative to the output's largest magnitude."""

HALF_TOLERANCE = 2e-2
"""The same if the graph contains float16, whose rounding steps are 2**-11: about forty roundings in one direction."""


def evaluate(model: Model, inputs: Mapping[str, Array]) -> list[Array]:
    """Run a model with onnx's reference implementation: slow and readable, and independent of all kernels."""
    own = model.clone()
    ir.external_data.load_to_model(own)
    proto = ir.to_proto(own)
    return [np.asarray(y) for y in ReferenceEvaluator(proto).run(None, dict(inputs))]


def check_after_each(
    model: Model,
    inputs: Mapping[str, Array],
    engines: Sequence[Evaluate] = (evaluate,),
    in_onnx: Callable[[Model], Model] = lambda model: model,
) -> AfterPass:
    """A hook for `Pipeline.run` that compares the model after each pass with the model as it is now.

    `in_onnx` replaces the operators of a dialect's own domain by ONNX's. Each of the `engines` has errors of its own:
    a pass is reported only if none reproduces the model's outputs. Inputs and outputs that a pass made channels-last
    are compared in that layout; a graph that a pass converted to float16 runs in float32 on its rounded weights.
    Raises `EdgecError` E0301 if no engine runs the model; the hook raises it with the name of the pass at fault.
    """
    wanted = [found for run in engines if (found := _run(run, model, inputs)) is not None]
    if not wanted:
        raise error("E0301", "the graph cannot be checked between passes: no engine runs it", help=[_WITHOUT_VERIFY])
    rounds = _uses_float16(model)

    def check(name: str, changed: Model) -> None:
        plain = in_onnx(changed)
        try:
            onnx.checker.check_model(ir.to_proto(plain))
        except onnx.checker.ValidationError as failure:
            raise error("E0301", f"pass `{name}` left an invalid graph", notes=[said("onnx", failure)]) from failure
        plain = plain if rounds else _in_float32(plain)
        given = {v.name or "": _in_layout_of(inputs[v.name or ""], v) for v in plain.graph.inputs}
        tolerance = HALF_TOLERANCE if _uses_float16(changed) else TOLERANCE
        found = (_run(run, plain, given) for run in engines)
        differing = list(_mismatches(plain, wanted, (f for f in found if f is not None), tolerance))
        if not differing:
            raise error(
                "E0301", f"the graph behind pass `{name}` cannot be checked: no engine runs it", help=[_WITHOUT_VERIFY]
            )
        if "" not in differing:
            raise error("E0301", f"pass `{name}` changed {differing[0]}")

    return check


_WITHOUT_VERIFY = "build without `--verify`: artifacts are run and compared in any case"


def _run(engine: Evaluate, model: Model, inputs: Mapping[str, Array]) -> list[Array] | None:
    try:
        return engine(model, inputs)
    except EdgecError:
        return None
    except Exception:  # the reference raises whatever numpy does
        return None


def _mismatches(
    model: Model, wanted: Sequence[list[Array]], found: Iterator[list[Array]], tolerance: float
) -> Iterator[str]:
    """What differs in each engine's outputs from all reference outputs, as text; ends after an engine that agrees."""
    for outputs in found:
        said = [_difference(model, expected, outputs, tolerance) for expected in wanted]
        yield "" if "" in said else said[0]
        if "" in said:
            return


def _difference(model: Model, expected: Sequence[Array], found: Sequence[Array], tolerance: float) -> str:
    for i, (before, after, out) in enumerate(zip(expected, found, model.graph.outputs, strict=True)):
        wanted = _in_layout_of(before, out).astype(np.float64)
        if wanted.shape != after.shape:
            return f"output {i} from shape {list(wanted.shape)} to {list(after.shape)}"
        peak = float(np.abs(wanted).max(initial=0.0))
        apart = float(np.abs(wanted - after.astype(np.float64)).max(initial=0.0))
        if not apart <= tolerance * max(peak, 1e-30):
            return f"output {i} by {apart:.3g} (its largest value is {peak:.3g})"
    return ""


def _uses_float16(model: Model) -> bool:
    return any(value.dtype == ir.DataType.FLOAT16 for node in all_nodes(model) for value in node.outputs)


def _in_float32(model: Model) -> Model:
    """The graph with float32 instead of float16."""
    if not _uses_float16(model):
        return model
    wide = model.clone()
    for graph in all_graphs(wide):
        for value in (*graph.inputs, *graph.initializers.values(), *(v for node in graph for v in node.outputs)):
            if value.dtype == ir.DataType.FLOAT16:
                value.type = ir.TensorType(ir.DataType.FLOAT)
                if value.const_value is not None:
                    value.const_value = ir.Tensor(value.const_value.numpy().astype(np.float32), name=value.name)
        for node in graph:
            if node.op_type == "Cast" and node.attributes["to"].as_int() == ir.DataType.FLOAT16:
                node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType.FLOAT))
    return wide


def _in_layout_of(array: Array, value: ir.Value) -> Array:
    """The array in the layout of the value: channels-last if the value is and the array is not."""
    last = np.moveaxis(array, 1, -1) if array.ndim > 2 else array
    shape = None if value.shape is None else [d for d in value.shape if isinstance(d, int)]
    return last if shape is not None and list(array.shape) != shape and list(last.shape) == shape else array
