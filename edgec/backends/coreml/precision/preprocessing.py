"""Arithmetic on the model's inputs before the first learned layer: their magnitude is unknown, and float32 is cheap."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from edgec.backends.coreml.precision.intermediate_overflow import data, is_square
from edgec.backends.coreml.precision.value_ranges import CARRIES
from edgec.ir.model import Model, is_constant, subgraphs
from edgec.rules.match import is_float

EVIDENCE = "computes on inputs of unknown magnitude, before the first learned layer"

_LEARNED = frozenset(
    "Attention Conv ConvTranspose Gemm GRU GridSample If LSTM Loop RNN Resize ScatterElements ScatterND".split()
)
"""Arithmetic on inputs ends here: layers with weights, and operators that only write or sample elements."""

_BINARY = frozenset("Add Sub Mul Div MatMul Mod".split())
"""Rounding the operands matters if both are data: differences cancel, products overflow."""

_SENSITIVE = frozenset(
    "Acos Acosh ArgMax ArgMin Asin Asinh Atanh Ceil Cos Cosh CumSum Equal Exp Floor Greater GreaterOrEqual "
    "InstanceNormalization LRN LayerNormalization Less LessOrEqual Log LogSoftmax Pow Reciprocal ReduceProd ReduceSum "
    "Round Sign Sin Sinh Softmax Softplus Sqrt Tan TopK".split()
)
"""Operators sensitive to the last digits or the magnitude of their operand."""

_PERIODIC = frozenset({"Sin", "Cos", "Tan"})

_DECIDES = frozenset("ArgMax ArgMin Ceil Floor Round Sign TopK".split())
"""Operators whose integer result may change by rounding of the operand."""

_WRITES = frozenset({"ScatterElements", "ScatterND"})
"""Operators that write elements, such as into a cache; attention to it is not arithmetic on inputs."""


def on_inputs(model: Model) -> Iterator[tuple[ir.Node, str]]:
    """Operators that depend only on inputs and amplify float16's rounding, and the producers of their operands.

    Data movement, scales and offsets (`x / 255 - 0.5`) lose nothing that matters. Operators between such an operator
    and an output are in float32 too: a variance may be far larger than its operand.
    """
    raw = raw_values(model)
    yield from ((node, EVIDENCE) for node in _to_an_output(model, raw))
    for node in model.graph:
        if _loses_digits(node) and node.outputs[0] in raw:
            yield node, EVIDENCE
            yield from ((maker, EVIDENCE) for maker in _producers_from_inputs(data(node), raw))
        elif node.op_type in _PERIODIC:
            yield from _features(node, raw)
        elif node.op_type == "Log":
            yield from _spectrum(node, raw)
        elif node.op_type in _DECIDES or _casts_to_integer(node):
            yield from ((maker, EVIDENCE) for maker in _decided_by_inputs(node))


def raw_values(model: Model) -> set[ir.Value]:
    """The inputs, and all values computed from them and constants by arithmetic and data movement only."""
    found: set[ir.Value] = set(model.graph.inputs)
    for node in model.graph:
        given = [v for v in node.inputs if v is not None and not is_constant(v)]
        if given and all(v in found for v in given) and not _is_learned(node):
            found.update(node.outputs)
    return found


def is_raw(value: ir.Value) -> bool:
    """Whether a value is one of `raw_values`."""
    pending, seen = [value], set[ir.Node]()
    while pending:
        current = pending.pop()
        node = current.producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        given = [v for v in node.inputs if v is not None and not is_constant(v)]
        if not given or _is_learned(node):
            return False
        pending.extend(given)
    return True


def _is_learned(node: ir.Node) -> bool:
    """Whether the node has learned weights; a row of an embedding table does not count as an input."""
    if node.domain or subgraphs(node) or node.op_type in _LEARNED:
        return True
    if node.op_type == "MatMul":
        return len(data(node)) < 2
    table = node.inputs[0] if node.op_type in ("Gather", "GatherElements", "GatherND") else None
    return table is not None and is_constant(table) and is_float(table)


def _loses_digits(node: ir.Node) -> bool:
    operands = [v for v in data(node) if not _is_chosen(v)]
    if node.op_type in _BINARY:
        return len(operands) == 2 or (node.op_type == "Div" and not is_constant(node.inputs[1]))
    return (node.op_type in _SENSITIVE or _casts_to_integer(node)) and bool(operands)


def _casts_to_integer(node: ir.Node) -> bool:
    """A cast from float to integer: the result, or the selected row of a table, may depend on the last digit."""
    return node.op_type == "Cast" and not is_float(node.outputs[0]) and bool(data(node))


def _to_an_output(model: Model, raw: set[ir.Value]) -> list[ir.Node]:
    """The operators from those that lose digits to outputs of the model."""
    behind: dict[ir.Node, None] = {}
    for node in model.graph:
        if node.outputs[0] in raw and (
            _loses_digits(node) or _counts(node) or any(v.producer() in behind for v in data(node))
        ):
            behind[node] = None
    kept = {v.producer() for v in model.graph.outputs}
    for node in reversed(list(behind)):
        if node in kept:
            kept.update(v.producer() for v in data(node))
    return [node for node in behind if node in kept]


def _is_chosen(value: ir.Value) -> bool:
    """Whether each element is one of two constants, as in a mask: nothing can be lost."""
    node = value.producer()
    while node is not None and node.op_type in CARRIES and node.inputs[0] is not None:
        node = node.inputs[0].producer()
    if node is None or node.domain:
        return False
    if node.op_type == "Cast":
        return node.inputs[0] is not None and node.inputs[0].dtype == ir.DataType.BOOL
    return node.op_type == "Where" and all(is_constant(v) for v in node.inputs[1:])


def _counts(node: ir.Node) -> bool:
    """Integers converted to float: float16 represents each up to 2048 only."""
    given = node.inputs[0] if node.op_type == "Cast" else None
    kind = None if given is None or given.dtype is None else given.dtype.numpy()
    return kind is not None and kind.kind in "iu" and kind.itemsize > 1 and is_float(node.outputs[0])


def _producers_from_inputs(values: list[ir.Value], raw: set[ir.Value]) -> Iterator[ir.Node]:
    """The float operators that compute the values from the inputs."""
    pending, seen = list(values), set[ir.Node]()
    while pending:
        value = pending.pop()
        node = value.producer()
        if node is None or node in seen or value not in raw:
            continue
        seen.add(node)
        yield node
        pending.extend(data(node))


def _decided_by_inputs(node: ir.Node) -> Iterator[ir.Node]:
    """A decision and the producers of its operand, if these are arithmetic on inputs, possibly with writes."""
    pending, seen = [node], {node: None}
    while pending:
        for value in data(pending.pop()):
            maker = value.producer()
            if maker is not None and maker not in seen:
                if _is_learned(maker) and maker.op_type not in _WRITES:
                    return
                seen[maker] = None
                pending.append(maker)
    yield from seen


def _features(node: ir.Node, raw: set[ir.Value]) -> Iterator[tuple[ir.Node, str]]:
    """Sines of a fixed matrix times the inputs: Fourier features."""
    found = list(_through_linear(data(node), raw))
    for maker in (node, *found) if found else ():
        yield maker, "computes an angle, or its sine, from inputs of unknown magnitude"


def _spectrum(node: ir.Node, raw: set[ir.Value]) -> Iterator[tuple[ir.Node, str]]:
    """The logarithm of the squares of a fixed transform of the inputs: a spectrogram."""
    for square in _squares(node):
        for maker in _through_linear(data(square), raw):
            yield maker, "computes the squares of a logarithm from inputs of unknown magnitude"


def _squares(node: ir.Node) -> Iterator[ir.Node]:
    """The squares from which the operand is computed, through sums and constant filters."""
    pending, seen = data(node), set[ir.Node]()
    while pending:
        maker = pending.pop().producer()
        if maker is None or maker in seen:
            continue
        seen.add(maker)
        if is_square(maker) and not _is_root(maker):
            yield maker
        elif maker.op_type in {"Pow", "Sqrt", *_PROPAGATES} or (maker.op_type == "Mul" and is_square(maker)):
            pending.extend(data(maker))


_PROPAGATES = CARRIES | set("Abs Add Clip Conv Concat Gemm MatMul Max Min Pad ReduceMean ReduceSum Slice Split".split())


def _is_root(square: ir.Node) -> bool:
    """Whether it is (sqrt(z))²: the squares are further back."""
    makers = [v.producer() for v in data(square)]
    return any(m is not None and m.op_type == "Sqrt" for m in makers)


def _through_linear(values: list[ir.Value], raw: set[ir.Value]) -> Iterator[ir.Node]:
    """The operators that compute the values from the inputs through one constant linear map; none if they do not."""
    pending, seen = list(values), dict[ir.Node, None]()
    maps = []
    while pending:
        node = pending.pop().producer()
        if node is None or node in seen:
            continue
        seen[node] = None
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            if not all(v in raw for v in data(node)):
                return
            maps.append(node)
        elif node.op_type in {"Add", "Sub", "Mul", "Div", "Neg", "Concat", "Gather", "Slice", "Split", *CARRIES}:
            pending.extend(v for v in data(node) if v not in raw)
        else:
            return
    if maps:
        yield from seen
        yield from _producers_from_inputs([v for node in maps for v in data(node)], raw)
