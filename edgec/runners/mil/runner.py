"""Runs a saved Core ML package on any machine, with MIL's semantics instead of Apple's kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np

from edgec.diag import Diagnostic, Place, error
from edgec.diag.diagnostic import EdgecError
from edgec.runners.base import Array
from edgec.runners.mil.check import problem, refuse_unknown
from edgec.runners.mil.decode import Decoder
from edgec.runners.mil.evaluate import Evaluator, Tap
from edgec.runners.mil.interface import Feature, Interface, default_array
from edgec.runners.mil.package import Package, malformed, open_package
from edgec.runners.mil.program import Block, Function, Immediate, Operation, OtherType, Output, TensorType
from edgec.runners.mil.proto import model_pb2
from edgec.runners.mil.source_names import Translation, translation

Precision = Literal["float32", "float16"]


class MilRunner:
    """Executes one function of a saved ML Program.

    `precision="float32"` computes everything in float32, whatever the package declares (weights stay as stored);
    `"float16"` rounds every value of type fp16 after the operation that computes it. States persist between runs until
    `reset`. Inputs, outputs, states and functions have the source's names, which the package records where Core ML's
    are different.

    Raises E0604 if the package cannot be read, E0603 if it is not an ML Program or uses unknown operations (all of
    them are listed), E0502 without coremltools, whose protobuf classes are used.
    """

    name = "mil-interpreter"

    def __init__(
        self,
        path: str | Path,
        precision: Precision = "float32",
        function: str | None = None,
        *,
        tap: Tap | None = None,
        timed: bool = False,
    ) -> None:
        if precision not in ("float32", "float16"):
            raise error("E0101", f"the precision `{precision}` is neither float32 nor float16")
        root = Path(path)
        self._half = precision == "float16"
        package = open_package(root)
        model = _parse(package)
        try:
            self._names = translation(model.description, function)
            program = Decoder(package).program(model.mlProgram)
        except (ValueError, KeyError, AttributeError, TypeError, OSError) as cause:
            raise malformed(root, str(cause)) from cause
        interface = self._names.interface
        body = program.functions.get(interface.function)
        if body is None:
            raise malformed(root, f"the program has no function `{interface.function}`")
        refuse_unknown(root, body)
        reason = problem(body, interface)
        if reason:
            raise malformed(root, reason)
        self._interface = interface.called(self._names.sources)
        self._metadata = _metadata(model)
        self.specification = int(model.specificationVersion)
        self._evaluator = Evaluator(body, _opset(model), self._half, {}, tap, timed)
        self.reset()

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """The inputs of `run`."""
        return self._interface.inputs

    @property
    def outputs(self) -> tuple[Feature, ...]:
        """The outputs of `run`, in order."""
        return self._interface.outputs

    @property
    def states(self) -> tuple[Feature, ...]:
        """The states that persist between runs."""
        return self._interface.states

    @property
    def body(self) -> Block:
        """The function's operations."""
        return self._evaluator.function.body

    def before_pixels(self, output: str) -> str:
        """The name of an image output before `clip` and `round` turn it into pixels. Raises E0604."""
        made = {out.name: op for op in self.body.operations for out in op.outputs}
        name = next((name for name in self.body.outputs if self._names.source(name) == output), "")
        for kind in ("round", "clip"):
            op = made.get(name)
            source = op.inputs["x"][0] if op is not None and op.type == kind else None
            if source is None or isinstance(source, Immediate):
                raise error("E0604", f"the output `{output}` is not an image that edgec wrote")
            name = source.name
        return name

    @property
    def metadata(self) -> dict[str, str]:
        """The package's author, license, version and description, and the author's own keys."""
        return dict(self._metadata)

    @property
    def classes(self) -> tuple[str | int, ...]:
        """A classifier's labels in the order of its probabilities; empty for other models."""
        for op in self._evaluator.function.body.operations:
            if op.type == "classify":
                return tuple(label if isinstance(label, str) else int(label) for label in _labels(op))
        return ()

    @property
    def seconds(self) -> dict[str, float]:
        """The total time of each operation, by name (with `timed=True`)."""
        return self._evaluator.seconds

    def reset(self) -> None:
        """Set every state to zeros."""
        self._evaluator.states.clear()
        names = {state.name for state in self._interface.states}
        for value in self._evaluator.function.inputs:
            if self._names.source(value.name) in names and isinstance(value.type, TensorType):
                self._evaluator.states[value.name] = np.zeros(_static(value.type), np.float32)

    def state_values(self) -> dict[str, Array]:
        """The current value of each state, by name."""
        return {self._names.source(name): value.copy() for name, value in self._evaluator.states.items()}

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Set states, as an app does through `MLState`. Raises E0107 for an unknown name or another shape."""
        own = self._evaluator.states
        for name, value in values.items():
            identifier = self._names.identifiers.get(name, "")
            if identifier not in own or own[identifier].shape != np.shape(value):
                shapes = ", ".join(f"`{n}` {list(a.shape)}" for n, a in self.state_values().items())
                raise error("E0107", f"there is no state `{name}` of shape {list(np.shape(value))}", notes=[shapes])
            array = np.asarray(value, np.float32)
            own[identifier] = array.astype(np.float16).astype(np.float32) if self._half else array.copy()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, in the package's order.

        A scalar (0-D) is accepted if the package declares one element, since Core ML has no 0-D inputs. A classifier's
        label is a 0-D array, its probabilities a vector in the order of the classes. Raises E0107 if
        an input is missing, unknown, or of another shape or kind, and E0602 if an operation fails.
        """
        declared = {self._names.source(v.name): v for v in self._evaluator.function.inputs}
        prepared = _prepare(self._interface, declared, inputs)
        found = self._evaluator.run({self._names.identifiers[name]: array for name, array in prepared.items()})
        results = {self._names.source(name): array for name, array in found.items()}
        missing = [feature.name for feature in self.outputs if feature.name not in results]
        if missing:
            # Only the description names a classifier's features: they are the program's outputs in order.
            results = dict(zip((feature.name for feature in self.outputs), results.values(), strict=True))
        return {feature.name: self._delivered(feature, results[feature.name]) for feature in self.outputs}

    def _delivered(self, feature: Feature, value: Array) -> Array:
        array = np.asarray(value)
        if feature.kind == "array" and (array.dtype.kind != "f" or self._half):
            return array.astype(feature.dtype)
        return array

    def close(self) -> None:
        """Release constants and states."""
        self._evaluator = Evaluator(Function("closed", (), Block((), (), ())), 0, self._half, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def source_names(path: Path, function: str | None = None) -> Translation:
    """The source's names of the inputs and outputs of a package. Raises E0604 for a broken package."""
    try:
        return translation(_parse(open_package(path)).description, function)
    except ValueError as cause:
        raise malformed(path, str(cause)) from cause


def _parse(package: Package) -> Any:
    module = model_pb2()
    try:
        model = module.Model.FromString(package.model.read_bytes())
    except Exception as cause:  # DecodeError's module differs between protobuf implementations
        raise malformed(package.root, f"`{package.model.name}` is not a Core ML model") from cause
    kind = model.WhichOneof("Type")
    if kind is None:
        raise malformed(package.root, f"`{package.model.name}` contains no model")
    if kind != "mlProgram":
        raise error(
            "E0603", f"`{package.root.name}` is a {kind}, not an ML Program", place=Place(file=str(package.root))
        )
    return model


def _metadata(model: Any) -> dict[str, str]:
    said = model.description.metadata
    named = {
        "description": said.shortDescription,
        "version": said.versionString,
        "author": said.author,
        "license": said.license,
    }
    functions = {name: function.opset for name, function in model.mlProgram.functions.items()}
    opsets = ", ".join(f"{name} {opset}" for name, opset in sorted(functions.items()))
    return {k: v for k, v in named.items() if v} | dict(said.userDefined) | {"functions": opsets}


def _opset(model: Any) -> int:
    """The iOS version of the program's opset, from its functions' `CoreML5` (iOS 15) … `CoreML8` (iOS 18)."""
    names = [function.opset for function in model.mlProgram.functions.values()]
    return max((int(name.removeprefix("CoreML")) + 10 for name in names if name[6:].isdigit()), default=15)


def _labels(op: Operation) -> list[Any]:
    argument = op.inputs["classes"][0]
    if not isinstance(argument, Immediate) or not isinstance(argument.value, list):
        raise error("E0604", "the labels of `classify` are not written in place", place=Place(node=op.name))
    return argument.value


def _static(type_: TensorType) -> tuple[int, ...]:
    return tuple(1 if size is None else size for size in type_.shape or ())


def _prepare(interface: Interface, declared: dict[str, Output], given: Mapping[str, Array]) -> dict[str, Array]:
    """The inputs checked against the program, with defaults for absent optional ones."""
    features = {feature.name: feature for feature in interface.inputs}
    problems = [f"there is no input `{name}`" for name in given if name not in features]
    prepared: dict[str, Array] = {}
    for name, feature in features.items():
        if name not in given and not feature.optional:
            problems.append(f"the input `{name}` is missing")
            continue
        array = np.asarray(given[name]) if name in given else default_array(feature)
        if array.ndim == 0 and feature.shape == (1,):
            array = array.reshape(1)
        wrong = _mismatch(array, declared.get(name), name) or _unlisted(array, feature)
        if wrong:
            problems.append(wrong)
        prepared[name] = array
    if problems:
        known = ", ".join(f"`{feature.name}`" for feature in interface.inputs)
        raise EdgecError(Diagnostic("E0107", wrong, None, (f"the inputs are {known}",)) for wrong in problems)
    return prepared


def _mismatch(array: Array, value: Output | None, name: str) -> str | None:
    if value is None or isinstance(value.type, OtherType):
        return f"the program has no tensor input `{name}`"
    shape = value.type.shape
    if shape is not None and not _agree(array.shape, shape):
        wanted = "x".join("?" if size is None else str(size) for size in shape)
        return f"the input `{name}` has shape {'x'.join(map(str, array.shape))}, not {wanted}"
    if value.type.scalar.numpy.kind in "iu" and array.dtype.kind == "f":
        return f"the input `{name}` holds {array.dtype}, the program takes {value.type.scalar.name}"
    if value.type.scalar.numpy.kind in "iu" and array.dtype.kind in "iu" and array.size:
        limit = np.iinfo(value.type.scalar.numpy.name)
        if int(array.min()) < limit.min or int(array.max()) > limit.max:
            return f"the input `{name}` holds numbers beyond {value.type.scalar.name}"
    if array.dtype == np.float64 and array.size and bool((np.abs(array[np.isfinite(array)]) > _LARGEST_SINGLE).any()):
        return f"the input `{name}` holds numbers beyond {value.type.scalar.name}"
    return None


def _unlisted(array: Array, feature: Feature) -> str | None:
    if not feature.shapes or array.shape in feature.shapes:
        return None
    known = ", ".join("x".join(map(str, shape)) for shape in feature.shapes)
    return f"the input `{feature.name}` has shape {'x'.join(map(str, array.shape))}, the package takes {known}"


_LARGEST_SINGLE = float(np.finfo(np.float32).max)


def _agree(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(w is None or w == h for w, h in zip(declared, shape, strict=True))
