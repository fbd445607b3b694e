"""Multiply-accumulates of MIL instructions."""

from __future__ import annotations

import math

from edgec.backends.base import Instr, Operand

Dims = dict[str, list[int]]


def macs(instr: Instr) -> int:
    """Multiply-accumulates of convolutions and matrix products; 0 for other operations."""
    types: Dims = {name: v.type.sizes for name, v in instr.inputs if v is not None and not isinstance(v, tuple)}
    out = math.prod(instr.outputs[0].type.sizes)
    match instr.op:
        case "conv":
            return out * math.prod(types["weight"][1:])
        case "conv_transpose":
            return math.prod(types["x"]) * math.prod(types["weight"][1:])
        case "linear":
            return out * types["weight"][1]
        case "matmul":
            transposed = dict(instr.attrs).get("transpose_x")
            return out * types["x"][-2 if transposed else -1]
        case "einsum":
            return out * _first_of_values(instr).type.sizes[-1]
        case "scaled_dot_product_attention":
            keys, width = types["key"][-2:]
            return math.prod(types["query"][:-1]) * keys * (width + types["value"][-1])
        case "lstm" | "gru" | "rnn":
            return _recurrent(types)
        case _:
            return 0


def _first_of_values(instr: Instr) -> Operand:
    values = instr.input("values")
    assert isinstance(values, tuple)
    return values[0]


def _recurrent(types: Dims) -> int:
    """Every time step multiplies input and state with the weights of its direction."""
    steps, batch = types["x"][:2]
    weights = [math.prod(shape) for name, shape in types.items() if name.startswith("weight")]
    return steps * batch * sum(weights)
