"""Full integer quantization of a program: 8-bit kernels where they are accurate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import onnx_ir as ir

from edgec.backends.base import Argument, Array, Const, Instr, Operand, Program, Ref, TensorType
from edgec.backends.tflite.quantize.channels import weight_of
from edgec.backends.tflite.quantize.floats import kept_in_floats, takes_part
from edgec.backends.tflite.quantize.kernels import BIAS_BITS, LINEAR, Demand, demand
from edgec.backends.tflite.quantize.scales import Recipe, constant_steps, scales
from edgec.calibration.statistics import Statistics
from edgec.quantization.parameters import Quantization
from edgec.quantization.weights import quantized
from edgec.spec.numerics import NumberFormat, Numerics


@dataclass(frozen=True)
class InIntegers:
    """A quantized program, the number of its integer instructions, and the float ones with their reasons."""

    program: Program
    integers: int
    floats: tuple[tuple[Instr, str], ...]


def in_integers(program: Program, seen: Mapping[str, Statistics], numerics: Numerics) -> InIntegers:
    """Quantize the program to `numerics.activations` and `numerics.weights`, with the statistics `seen` of its values.

    Inputs and outputs stay float: inputs are quantized first, and outputs dequantized last.
    """
    assert numerics.activations is not None
    floats = kept_in_floats(program, seen)
    integers = [i for i, instr in enumerate(program.instrs) if takes_part(instr) and i not in floats]
    recipe = Recipe(numerics.activations, numerics.calibration)
    rewriter = _Rewriter(scales(program, integers, seen, recipe), numerics.weights, numerics.activations)
    chosen = frozenset(integers)
    for i, instr in enumerate(program.instrs):
        if i in chosen:
            rewriter.compute_in_integers(instr)
        else:
            rewriter.compute_in_floats(instr)
    outputs = tuple((name, rewriter.as_float(operand)) for name, operand in program.outputs)
    made = replace(program, instrs=tuple(rewriter.instrs), outputs=outputs)
    return InIntegers(made, len(integers), tuple((program.instrs[i], reason) for i, reason in floats.items()))


@dataclass
class _Rewriter:
    """Appends instructions in order; each value is converted once to each quantization that is used."""

    scales: Mapping[str, Quantization]
    weights: NumberFormat
    values: NumberFormat
    instrs: list[Instr] = field(default_factory=list)
    _forms: dict[tuple[str, Quantization | None], Ref] = field(default_factory=dict)
    _own: dict[str, Quantization] = field(default_factory=dict)
    """The quantization of each value that was computed in integers."""
    _counts: Counter[str] = field(default_factory=Counter)

    def compute_in_floats(self, instr: Instr) -> None:
        """Append the instruction in float."""
        inputs = tuple((name, _mapped(argument, self.as_float)) for name, argument in instr.inputs)
        self.instrs.append(replace(instr, inputs=inputs))

    def compute_in_integers(self, instr: Instr) -> None:
        """Append the quantized instruction, with integer weights and bias."""
        results = tuple(self._result(ref) for ref in instr.outputs)
        shared = results[0].type.quantization if demand(instr.op) is Demand.SAME else None
        inputs: list[tuple[str, Argument]] = []
        linear = self._parameters(instr) if instr.op in LINEAR else {}
        for name, argument in instr.inputs:
            own = linear.get(name)
            inputs.append((name, own or _mapped(argument, lambda value: self._as_steps(value, shared))))
        self.instrs.append(replace(instr, inputs=tuple(inputs), outputs=results))

    def as_float(self, value: Operand) -> Operand:
        """The value as a float."""
        if not isinstance(value, Ref) or value.name not in self._own:
            return value
        return self._form(value, None, "DEQUANTIZE", value.type)

    def _result(self, ref: Ref) -> Ref:
        if ref.type.dtype != "float32":
            return ref
        made = Ref(ref.name, self._kind(ref, self.scales[ref.name]))
        self._own[ref.name] = self.scales[ref.name]
        self._forms[ref.name, self.scales[ref.name]] = made
        return made

    def _as_steps(self, value: Operand, shared: Quantization | None) -> Operand:
        """The value with its own quantization, or with the shared one."""
        if value.type.dtype != "float32":
            return value
        if isinstance(value, Const):
            steps, found = constant_steps(value, self.values, shared)
            return self._constant(f"{value.name}/{self.values.type}", steps, self._kind(value, found))
        wanted = shared or self.scales[value.name]
        return self._form(value, wanted, "QUANTIZE", self._kind(value, wanted))

    def _form(self, value: Ref, wanted: Quantization | None, op: str, kind: TensorType) -> Ref:
        """The value with another quantization, converted unless it was before."""
        if (value.name, wanted) not in self._forms:
            own = self._own.get(value.name)
            source = value if own is None else self._forms[value.name, own]
            number = sum(1 for name, _ in self._forms if name == value.name)
            suffix = "float" if wanted is None else f"{kind.dtype}/{number}" if number else kind.dtype
            made = Ref(f"{value.name}/{suffix}", kind)
            self.instrs.append(Instr(op, (("input", source),), (), (made,)))
            self._forms[value.name, wanted] = made
        return self._forms[value.name, wanted]

    def _kind(self, value: Operand, quantization: Quantization) -> TensorType:
        return TensorType(self.values.type, value.type.shape, quantization)

    def _parameters(self, instr: Instr) -> dict[str, Const]:
        """Quantized weight and bias. A channel's weights get a larger scale if its bias would not fit 32 bits."""
        found, bias = weight_of(instr), instr.input("bias")
        assert found is not None
        assert isinstance(bias, Const)
        name, weight, axis = found
        numbers = np.asarray(bias.numpy(), np.float64)
        source = self.scales[_input_of(instr).name].scale
        steps, quantization = quantized(weight.numpy(), self.weights, axis, np.abs(numbers) / source / 2**BIAS_BITS)
        of_bias = Quantization(tuple(source * s for s in quantization.scales), (0,) * len(quantization.scales), 0)
        limit = 2 ** (BIAS_BITS + 1) - 1
        biases = of_bias.steps(numbers, (-limit, limit))
        kind = TensorType(self.weights.type, weight.type.shape, quantization)
        return {
            name: self._constant(f"{weight.name}/{self.weights.type}", steps, kind),
            "bias": self._constant(f"{bias.name}/int32", biases, TensorType("int32", bias.type.shape, of_bias)),
        }

    def _constant(self, hint: str, steps: Array, kind: TensorType) -> Const:
        """A constant with a unique name; a shared one is quantized separately for each use."""
        count = self._counts[hint]
        self._counts[hint] += 1
        name = f"{hint}/{count}" if count else hint
        return Const(name, kind, ir.Tensor(steps, name=name))


def _input_of(instr: Instr) -> Ref:
    found = instr.input("input")
    assert isinstance(found, Ref)
    return found


def _mapped(argument: Argument, change: Callable[[Operand], Operand]) -> Argument:
    """Apply a function to each operand of an argument."""
    if argument is None:
        return None
    if isinstance(argument, tuple):
        return tuple(change(operand) for operand in argument)
    return change(argument)
