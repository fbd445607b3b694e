"""Executes a function of a `Program`, operation by operation.

Float values are carried as float32 arrays. With `precision="float16"` every result whose declared type is fp16 is
rounded to float16 right after its operation (inside an operation sums are accumulated in float32, as Apple's hardware
does); with `precision="float32"` nothing is rounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgec.diag import Place, error
from edgec.diag.diagnostic import EdgecError
from edgec.diag.foreign import said
from edgec.runners.mil import kernels
from edgec.runners.mil.arrays import Array
from edgec.runners.mil.dtypes import FP16
from edgec.runners.mil.ops import OPS, Context, TensorList
from edgec.runners.mil.program import Block, Constant, Function, Immediate, Operation, Output, TensorType

Value = Any  # an array, text, a list of constants, or a TensorList
Tap = Callable[[str, Array], None]

CONTROL = frozenset({"const", "cond", "while_loop", "read_state", "write_state"})
# Inputs that take several values; any other input takes one.
_VARIADIC = frozenset({"values", "loop_vars", "ref_tensors", "begins", "ends", "end_masks", "elem_shape"})


@dataclass
class Evaluator:
    """One function, ready to run. Constants and states live as long as the evaluator.

    `tap` is called with every computed value, in its declared type. If `timed`, `seconds` accumulates the time of each
    operation by name. A failing operation raises E0602.
    """

    function: Function
    opset: int
    half: bool
    states: dict[str, Array]
    tap: Tap | None = None
    timed: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    random: np.random.Generator = field(default_factory=np.random.default_rng)
    _constants: dict[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            self._load_constants(self.function.body)

    def run(self, inputs: dict[str, Array]) -> dict[str, Value]:
        """The function's outputs by name."""
        values = {value.name: self._rounded(inputs[value.name], value) for value in self.function.inputs
                  if value.name not in self.states}  # fmt: skip
        with np.errstate(all="ignore"):
            self._block(self.function.body, values)
            return {name: self._lookup(name, values) for name in self.function.body.outputs}

    def _load_constants(self, block: Block) -> None:
        for op in block.operations:
            if op.type == "const":
                self._constants[op.outputs[0].name] = _carried(op.attributes["val"])
            elif op.type.startswith("constexpr_"):
                self._constants.update(self._run(op, {}))
            for nested in op.blocks:
                self._load_constants(nested)

    def _block(self, block: Block, values: dict[str, Value]) -> None:
        for op, dead in zip(block.operations, block.last_use, strict=True):
            if op.type == "const" or op.type.startswith("constexpr_"):
                continue
            start = time.perf_counter() if self.timed else 0.0
            results = self._run(op, values)
            values.update(results)
            if self.timed:
                self.seconds[op.name] = self.seconds.get(op.name, 0.0) + time.perf_counter() - start
            if self.tap is not None:
                self._call_tap(op, results)
            for name in dead:
                values.pop(name, None)

    def _run(self, op: Operation, values: dict[str, Value]) -> dict[str, Value]:
        """The outputs of one operation by name."""
        try:
            results = self._control(op, values) if op.type in CONTROL else self._apply(op, values)
            if len(results) != len(op.outputs):
                raise ValueError(f"{len(results)} results for {len(op.outputs)} outputs")
            exact = op.type in CONTROL or OPS[op.type].exact
            return {
                output.name: self._rounded(result, output, exact)
                for output, result in zip(op.outputs, results, strict=True)
            }
        except EdgecError:
            raise
        except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as cause:
            raise error(
                "E0602",
                f"the operation `{op.type}` of the package cannot be computed",
                place=Place(node=op.name),
                notes=[said("the MIL interpreter", f"{type(cause).__name__}: {cause}")],
                help=["check the shapes and values of the inputs: `edgec inspect` shows what the package takes"],
            ) from cause

    def _apply(self, op: Operation, values: dict[str, Value]) -> tuple[Value, ...]:
        arguments = {name: _carried(value) for name, value in op.attributes.items()}
        for name, group in op.inputs.items():
            found = [self._argument(item, values) for item in group]
            arguments[name] = found if name in _VARIADIC else found[0]
        definition = OPS[op.type]
        if definition.context:
            result = definition.run(Context(self.opset, op.outputs, self.random), **arguments)
        else:
            result = definition.run(**arguments)
        return result if isinstance(result, tuple) else (result,)

    def _control(self, op: Operation, values: dict[str, Value]) -> tuple[Value, ...]:
        if op.type == "cond":
            taken = op.blocks[0] if bool(self._one(op, "pred", values)) else op.blocks[1]
            return self._nested(taken, values, ())
        if op.type == "while_loop":
            return self._while(op, values)
        name = op.inputs["input"][0]
        state = name.name if not isinstance(name, Immediate) else ""
        if op.type == "write_state":
            self.states[state] = np.array(self._one(op, "data", values))
            return ()
        return (self.states[state].copy(),)

    def _while(self, op: Operation, values: dict[str, Value]) -> tuple[Value, ...]:
        condition, body = op.blocks
        carried = tuple(self._argument(item, values) for item in op.inputs["loop_vars"])
        while bool(self._nested(condition, values, carried)[0]):
            carried = self._nested(body, values, carried)
        return carried

    def _nested(self, block: Block, outer: dict[str, Value], arguments: Iterable[Value]) -> tuple[Value, ...]:
        """Run a block that sees the values around it; values of its own stay local."""
        inner = dict(outer)
        inner.update(zip((value.name for value in block.inputs), arguments, strict=True))
        self._block(block, inner)
        return tuple(self._lookup(name, inner) for name in block.outputs)

    def _one(self, op: Operation, name: str, values: dict[str, Value]) -> Value:
        return self._argument(op.inputs[name][0], values)

    def _argument(self, argument: Any, values: dict[str, Value]) -> Value:
        return _carried(argument.value) if isinstance(argument, Immediate) else self._lookup(argument.name, values)

    def _lookup(self, name: str, values: dict[str, Value]) -> Value:
        if name in values:
            return values[name]
        if name in self._constants:
            return self._constants[name]
        raise KeyError(f"the value `{name}` is not defined")

    def _rounded(self, value: Value, output: Output, exact: bool = False) -> Value:
        """A result in its declared type, its shape checked; fp16 is rounded and carried as float32."""
        if not isinstance(output.type, TensorType) or isinstance(value, (str, TensorList)):
            return value
        scalar, array = output.type.scalar, np.asarray(value)
        if scalar.numpy.kind == "O":
            return array
        if not _fits(array.shape, output.type.shape):
            raise ValueError(f"`{output.name}` has shape {array.shape}, the program says {output.type.shape}")
        if scalar.numpy.kind != "f":
            return array if array.dtype == scalar.numpy else array.astype(scalar.numpy)
        if scalar == FP16 and self.half and not (exact and array.dtype == np.float32):
            return kernels.round_to_half(array)
        return array if array.dtype == np.float32 else array.astype(np.float32)

    def _call_tap(self, op: Operation, results: dict[str, Value]) -> None:
        for output in op.outputs:
            value = results[output.name]
            if self.tap is not None and isinstance(value, np.ndarray):
                self.tap(output.name, declared(value, output, self.half))


def declared(value: Array, output: Output, half: bool) -> Array:
    """A carried value in its declared type (float16 only if rounding is on)."""
    if half and isinstance(output.type, TensorType) and output.type.scalar == FP16:
        return value.astype(np.float16)
    return value


def _carried(value: Constant) -> Value:
    """A constant in the form that operations take: float16 widened to float32."""
    if isinstance(value, list):
        return [_carried(item) for item in value]
    if isinstance(value, str):
        return value
    return value.astype(np.float32) if value.dtype in (np.float16, np.float64) else np.asarray(value)


def _fits(shape: tuple[int, ...], declared_shape: tuple[int | None, ...] | None) -> bool:
    if declared_shape is None:
        return True
    if len(shape) != len(declared_shape):
        return False
    return all(want is None or have == want for have, want in zip(shape, declared_shape, strict=True))
