"""Fusion of instructions into kernels: activations, biases, transposes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Argument, Const, Instr, Operand, Program, Ref, TensorType
from edgec.backends.tflite.lower.common import NONE, RELU, RELU6, RELU_N1_TO_1

_ACTIVATIONS = {"RELU": RELU, "RELU6": RELU6, "RELU_N1_TO_1": RELU_N1_TO_1}
_HOSTS = frozenset(
    "CONV_2D DEPTHWISE_CONV_2D CONV_3D FULLY_CONNECTED ADD SUB MUL DIV TRANSPOSE_CONV AVERAGE_POOL_2D "
    "MAX_POOL_2D".split()
)


def fuse(program: Program) -> Program:
    """Apply all fusions, also in blocks: transposes into matrix products, additions into biases, activations."""
    instrs = tuple(replace(i, blocks=tuple(map(fuse, i.blocks))) if i.blocks else i for i in program.instrs)
    return fuse_activations(fuse_biases(fuse_transposed_products(replace(program, instrs=instrs))))


def fuse_activations(program: Program) -> Program:
    """Fuse RELU, RELU6 and RELU_N1_TO_1 into the kernel of their input, if it supports them and has no other user."""
    uses = _uses(program)
    makers: dict[str, int] = {}
    kept: list[Instr] = []
    for instr in program.instrs:
        host = _host(instr, kept, makers, uses)
        if host is None:
            makers.update((ref.name, len(kept)) for ref in instr.outputs)
            kept.append(instr)
            continue
        kept[host] = _with_activation(kept[host], instr)
        makers[instr.outputs[0].name] = host
    return replace(program, instrs=tuple(kept))


def _uses(program: Program) -> Counter[str]:
    """The number of uses of each operand, by instructions and as outputs."""
    uses = Counter(operand.name for instr in program.instrs for operand in instr.operands())
    uses.update(operand.name for _, operand in program.outputs)
    return uses


def _host(instr: Instr, kept: list[Instr], makers: dict[str, int], uses: Counter[str]) -> int | None:
    """The position of the instruction into which the activation can be fused, or None."""
    if instr.op not in _ACTIVATIONS:
        return None
    source = instr.operands()[0]
    index = makers.get(source.name)
    if not isinstance(source, Ref) or index is None or uses[source.name] != 1:
        return None
    maker = kept[index]
    plain = dict(maker.attrs).get("fusedActivationFunction") == NONE
    return index if maker.op in _HOSTS and plain and source.type.dtype == "float32" else None


def _with_activation(host: Instr, activation: Instr) -> Instr:
    code = _ACTIVATIONS[activation.op]
    attrs = tuple((k, code if k == "fusedActivationFunction" else v) for k, v in host.attrs)
    return replace(host, attrs=attrs, outputs=activation.outputs)


def fuse_biases(program: Program) -> Program:
    """Turn the ADD of a constant vector to a FULLY_CONNECTED without a bias into its bias."""
    uses = _uses(program)
    makers: dict[str, int] = {}
    kept: list[Instr] = []
    for instr in program.instrs:
        found = _biased(instr, kept, makers, uses)
        if found is None:
            makers.update((ref.name, len(kept)) for ref in instr.outputs)
            kept.append(instr)
            continue
        index, product = found
        kept[index] = product
        makers[instr.outputs[0].name] = index
    return replace(program, instrs=tuple(kept))


def _biased(instr: Instr, kept: list[Instr], makers: dict[str, int], uses: Counter[str]) -> tuple[int, Instr] | None:
    """The position of the product into which the addition is fused, and the fused product."""
    if instr.op != "ADD" or dict(instr.attrs).get("fusedActivationFunction") != NONE:
        return None
    for product, bias in (instr.operands(), instr.operands()[::-1]):
        index = makers.get(product.name)
        if index is None or uses[product.name] != 1 or not isinstance(bias, Const):
            continue
        host, width = kept[index], product.type.shape[-1:]
        fits = len(width) == 1 and bias.type.shape[-1:] == width and bias.numpy().size == width[0]
        if host.op == "FULLY_CONNECTED" and fits and len(bias.type.shape) <= len(product.type.shape) and _is_free(host):
            flat = (
                Const(bias.name, TensorType("float32", width), _flattened(bias)) if len(bias.type.shape) > 1 else bias
            )
            return index, replace(_with_input(host, "bias", flat), outputs=instr.outputs)
    return None


def _is_free(product: Instr) -> bool:
    """Whether the product has neither a bias nor an activation yet."""
    bias = product.input("bias")
    plain = dict(product.attrs).get("fusedActivationFunction") == NONE
    return plain and isinstance(bias, Const) and not bias.numpy().any()


def _flattened(bias: Const) -> ir.TensorProtocol:
    return ir.Tensor(np.ascontiguousarray(bias.numpy().reshape(-1)), name=bias.name)


def fuse_transposed_products(program: Program) -> Program:
    """Fuse the swap of the last two axes by a TRANSPOSE of BATCH_MATMUL's right operand into the kernel.

    The TRANSPOSE then copies whole rows, and is removed if it moves nothing else.
    """
    uses = _uses(program)
    makers = {ref.name: i for i, instr in enumerate(program.instrs) for ref in instr.outputs}
    kept: list[Instr | None] = list(program.instrs)
    for i, instr in enumerate(program.instrs):
        right = instr.input("b")
        if instr.op != "BATCH_MATMUL" or dict(instr.attrs)["adjY"] or not isinstance(right, Ref):
            continue
        index = makers.get(right.name)
        maker = None if index is None else kept[index]
        if index is None or maker is None or maker.op != "TRANSPOSE" or uses[right.name] != 1:
            continue
        swapped = _swapped(maker, right)
        if swapped is not None:
            operand, kept[index] = swapped
            attrs = tuple((k, True if k == "adjY" else v) for k, v in instr.attrs)
            kept[i] = replace(_with_input(instr, "b", operand), attrs=attrs)
    return replace(program, instrs=tuple(instr for instr in kept if instr is not None))


def _swapped(transpose: Instr, result: Ref) -> tuple[Operand, Instr | None] | None:
    """The operand before its last two axes are swapped, and the transpose that remains to compute it (or None)."""
    source, perm = transpose.input("input"), transpose.input("perm")
    assert isinstance(source, Ref | Const)
    assert isinstance(perm, Const)
    order = [int(p) for p in perm.numpy()]
    rest = [*order[:-2], order[-1], order[-2]]
    if rest[-1] != len(order) - 1:
        return None
    if rest == sorted(rest):
        return source, None
    shape = tuple(source.type.shape[p] for p in rest)
    kept_ref = Ref(result.name, TensorType(result.type.dtype, shape))
    table = Const(perm.name, perm.type, ir.Tensor(np.asarray(rest, dtype=np.int32), name=perm.name))
    return kept_ref, replace(_with_input(transpose, "perm", table), outputs=(kept_ref,))


def _with_input(instr: Instr, name: str, value: Argument) -> Instr:
    return replace(instr, inputs=tuple((k, value if k == name else v) for k, v in instr.inputs))
