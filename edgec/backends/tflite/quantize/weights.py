"""Weight-only quantization: each weight is an integer constant with a DEQUANTIZE, and the computation is in floats.

Runtimes dequantize a constant once, at load time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from edgec.backends.base import Argument, Const, Instr, Program, Ref, TensorType
from edgec.backends.tflite.quantize.channels import weight_of
from edgec.quantization.remarks import NarrowWeights
from edgec.quantization.weights import quantized
from edgec.spec.numerics import NumberFormat

_FEWEST = 256
"""Below this many elements the scales and the names of a weight's tensors take more than quantization saves."""

_SCALE_BYTES = 12
"""A scale in float32 and a zero point in int64."""


def with_narrow_weights(program: Program, form: NumberFormat) -> tuple[Program, NarrowWeights]:
    """Quantize every weight that becomes smaller in the format `form`, and report the savings."""
    narrower = _Narrower(form)
    narrowed = narrower.program(program)
    sizes = [sum(column) for column in zip(*narrower.sizes, strict=True)] or [0, 0]
    return narrowed, NarrowWeights(str(form), len(narrower.sizes), *sizes)


@dataclass
class _Narrower:
    """Rewrites a program; a weight shared by several instructions is dequantized once."""

    form: NumberFormat
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Bytes of each weight in float32, and quantized with its scales."""
    _made: dict[tuple[str, int], Ref] = field(default_factory=dict)

    def program(self, program: Program) -> Program:
        """The program with quantized weights; blocks have their own constants."""
        outer, self._made = self._made, {}
        instrs = tuple(new for instr in program.instrs for new in self._rewritten(instr))
        self._made = outer
        return replace(program, instrs=instrs)

    def _rewritten(self, instr: Instr) -> list[Instr]:
        """The instruction with its weight dequantized before it."""
        if instr.blocks:
            return [replace(instr, blocks=tuple(map(self.program, instr.blocks)))]
        found = weight_of(instr)
        if found is None or not self._is_worth(found[1], found[2]):
            return [instr]
        name, weight, axis = found
        is_made = (weight.name, axis) in self._made
        before = [] if is_made else [self._dequantize(weight, axis, instr)]
        inputs: list[tuple[str, Argument]] = [
            (key, self._made[weight.name, axis] if key == name else value) for key, value in instr.inputs
        ]
        return [*before, replace(instr, inputs=tuple(inputs))]

    def _is_worth(self, weight: Const, axis: int) -> bool:
        count = math.prod(weight.type.sizes)
        return count >= _FEWEST and self._stored(weight, axis) < 4 * count

    def _stored(self, weight: Const, axis: int) -> int:
        """Bytes of the quantized values and their scales."""
        sizes = weight.type.sizes
        scales = sizes[axis] if self.form.granularity == "channel" else 1
        return math.ceil(math.prod(sizes) * self.form.bits / 8) + scales * _SCALE_BYTES

    def _dequantize(self, weight: Const, axis: int, instr: Instr) -> Instr:
        steps, quantization = quantized(weight.numpy(), self.form, axis)
        name = f"{weight.name}/{self.form.type}"
        kind = TensorType(self.form.type, weight.type.shape, quantization)
        stored = Const(name, kind, ir.Tensor(steps, name=name))
        number = sum(1 for made, _ in self._made if made == weight.name)
        result = Ref(f"{weight.name}/{number}" if number else weight.name, weight.type)
        self._made[weight.name, axis] = result
        self.sizes.append((4 * steps.size, self._stored(weight, axis)))
        return Instr("DEQUANTIZE", (("input", stored),), (), (result,), place=instr.place)
