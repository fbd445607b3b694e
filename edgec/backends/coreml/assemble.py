"""Write a program as an `.mlpackage`: coremltools' builder checks all operations, edgec writes the package."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgec.backends.base import Argument, Const, Dim, Instr, Operand, Program, Ref
from edgec.backends.coreml.flexible_shapes import open_dimensions
from edgec.backends.coreml.interface import describe, describe_model, from_image, to_image
from edgec.backends.coreml.names import Named, function_names, name_what_was_added, named
from edgec.backends.coreml.options import CoreMLOptions, Image
from edgec.backends.coreml.package import write_package
from edgec.backends.coreml.sdk import coremltools
from edgec.backends.coreml.types import MIL_NAMES, interface_type, mil_type
from edgec.diag import error
from edgec.diag.foreign import said
from edgec.ledger.coreml.identifiers import Scope
from edgec.runners.mil.source_names import KEY, MAIN, SourceNames
from edgec.spec.target import Target


def assemble(program: Program, target: Target, path: Path) -> None:
    """Write the package. Raises `EdgecError` E0501 with the place of an operation that coremltools rejects, E0502."""
    assemble_functions({MAIN: program}, target, path)


def assemble_functions(programs: Mapping[str, Program], target: Target, path: Path) -> None:
    """Write a package of several functions, the first being the default; equal weights are stored once.

    Raises like `assemble`, and E0401 if the target's systems support only one function.
    """
    ct = coremltools()
    options = target.options
    assert isinstance(options, CoreMLOptions)
    _check_functions(programs, options)
    version = getattr(ct.target, options.minimum_deployment_target)
    called = function_names(programs)
    parts = {called[name]: named(program, options) for name, program in programs.items()}
    sources = SourceNames(
        {identifier: name for name, identifier in called.items() if identifier != name},
        {identifier: part.interface for identifier, part in parts.items()},
    )
    with _quiet(), tempfile.TemporaryDirectory(prefix="edgec-coreml-") as folder:
        main = next(iter(parts.values())).options
        spec = _specification(_mil_program(parts, version, target), parts, Path(folder), main)
        if sources.text():
            spec.description.metadata.userDefined[KEY] = sources.text()
        descriptions = spec.description.functions if len(programs) > 1 else [spec.description]
        for part, description in zip(parts.values(), descriptions, strict=True):
            describe(description, part.program, part.options)
            open_dimensions(description, part.program)
        weights = Path(folder) / "weight.bin"
        write_package(path, spec, weights if weights.is_file() else None)


def _check_functions(programs: Mapping[str, Program], options: CoreMLOptions) -> None:
    if len(programs) == 1:
        return
    for wrong, what, label in (
        (options.is_before("iOS18"), "packages of several functions need iOS 18", "functions-before-ios18"),
        (options.classifier is not None, "a classifier is a package of one function", "functions-classifier"),
    ):
        if wrong:
            raise error("E0401", what, notes=[f"rejected by `{label}`"], help=["build each source separately"])


def _mil_program(parts: Mapping[str, Named], version: Any, target: Target) -> Any:
    """The coremltools program of these functions."""
    from coremltools.converters.mil.mil import Program as MilProgram

    mil = MilProgram()
    for name, part in parts.items():
        mil.add_function(name, _Assembler(version, target, part, shares=len(parts) > 1).function(part.program))
    mil.default_function_name = next(iter(parts))
    mil.export_as_multifunction = len(parts) > 1
    return mil


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence coremltools' progress output; edgec reports its own."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


class _Assembler:
    """Turns instructions into MIL operations."""

    def __init__(self, version: Any, target: Target, part: Named, *, shares: bool) -> None:
        from coremltools.converters.mil import Builder
        from coremltools.converters.mil.mil import types

        self._mb, self._version, self._options, self._scope = Builder, version, part.options, part.scope
        self._narrow = (target.numerics.compute, target.numerics.weights.type) == ("float32", "float16")
        self._types = {"float32": types.fp32, "float16": types.fp16, "int32": types.int32, "bool": types.bool}
        self._shares = shares
        self._values: dict[str, Any] = {}
        self._symbols: dict[str, Any] = {}

    def function(self, program: Program) -> Any:
        """One MIL function."""
        from coremltools.converters.mil.mil import Function

        placeholders = {}
        for ref in program.inputs:
            dtype = self._types[self._declared(ref)]
            shape = tuple(self._dim(d) for d in ref.type.shape) or (1,)
            placeholders[ref.name] = self._mb.placeholder(shape=shape, dtype=dtype)
        for ref in program.states:
            placeholders[ref.name] = self._mb.state_tensor_placeholder(ref.type.shape, self._types[ref.type.dtype])
        function = Function(placeholders, opset_version=self._version)
        with function:
            for ref in program.inputs:
                self._values[ref.name] = self._interface_value(function.inputs[ref.name], ref)
            self._values.update({ref.name: function.inputs[ref.name] for ref in program.states})
            for instr in program.instrs:
                self._instr(instr)
            function.set_outputs([self._output(name, operand) for name, operand in program.outputs])
        name_what_was_added(function, self._scope)
        return function

    def _dim(self, dim: Dim) -> Any:
        """A size, or the symbol of the open dimension of that name."""
        from coremltools.converters.mil.mil import get_new_symbol

        if isinstance(dim, int):
            return dim
        return self._symbols.setdefault(dim, get_new_symbol())

    def _declared(self, value: Operand) -> str:
        """The type in the interface: images are float32, and float16 needs iOS 16."""
        name = interface_type(value.type.dtype)
        is_half = name == "float16" and self._options.is_before("iOS16")
        return "float32" if is_half or self._options.image(value.name) is not None else name

    def _interface_value(self, given: Any, ref: Ref) -> Any:
        """Convert an input to the program's type; 0-D tensors arrive with one element, images as pixels."""
        image = self._options.image(ref.name)
        value = given if image is None else from_image(self._mb, given, image, self._scope)
        wanted = mil_type(ref.type.dtype)
        if wanted != self._declared(ref):
            value = self._mb.cast(x=value, dtype=MIL_NAMES[wanted], name=self._scope.new(f"{ref.name}_{wanted}"))
        return value if ref.type.shape else self._mb.squeeze(x=value, name=self._scope.new(f"{ref.name}_scalar"))

    def _output(self, name: str, operand: Operand) -> Any:
        """Give an output its name and a type that the interface supports."""
        value, declared = self._operand(operand), self._declared(operand)
        image = self._options.output_image(name)
        if image is not None:
            return self._picture(value, image)
        if declared != mil_type(operand.type.dtype):
            if value.name == name:
                value.name = self._scope.new(f"{name}_{operand.type.dtype}")
            return self._mb.cast(x=value, dtype=MIL_NAMES[declared], name=name)
        produced = isinstance(operand, Const) or value.op is None or value.name != name
        return self._mb.identity(x=value, name=name) if produced else value

    def _picture(self, value: Any, image: Image) -> Any:
        """Convert an output to the image that the app gets."""
        from coremltools.converters.mil.mil import types

        if value.name == image.name:
            value.name = self._scope.new(f"{image.name}_value")
        if value.dtype != types.fp32:
            value = self._mb.cast(x=value, dtype="fp32", name=self._scope.new(f"{image.name}_float32"))
        return to_image(self._mb, value, image, self._scope)

    def _instr(self, instr: Instr) -> None:
        half = any(v.type.dtype == "float16" for v in (*instr.operands(), *instr.outputs))
        arguments = {name: self._argument(value) for name, value in instr.inputs}
        names = [ref.name for ref in instr.outputs]
        # The builder names literals by a per-process counter, which would make packages non-deterministic.
        for name, value in instr.attrs:
            arguments[name] = self._mb.const(val=_literal(value, half), name=self._scope.new(f"{names[0]}_{name}"))
        if "validate_indices" in arguments and arguments["indices"].val is not None:
            del arguments["validate_indices"]  # the builder compares indices that it infers with the wrong sizes
        try:
            if instr.blocks:
                states = [self._as_number(v) for v in arguments.get("loop_vars", ())]
                arguments |= {"loop_vars": states} if states else {}
                arguments |= self._blocks(instr)
            results = getattr(self._mb, instr.op)(**arguments, name=names[0])
        except (ValueError, TypeError, IndexError, NotImplementedError) as refusal:  # what the builder's checks raise
            raise error(
                "E0501",
                f"coremltools refuses the operation `{instr.op}`",
                place=instr.place,
                notes=[said("coremltools", refusal)],
                help=[_WAY_OUT],
            ) from refusal
        values = results if isinstance(results, list | tuple) else [results]
        for ref, value in zip(instr.outputs, values, strict=False):
            if not ref.type.shape and tuple(value.shape) == (1,):  # of scalars and 0-D tensors
                value = self._mb.squeeze(x=value, name=self._scope.new(f"{ref.name}_scalar"))
            value.name = ref.name
            _forget_symbols(value)
            _check_type(instr, ref, value)
            self._values[ref.name] = value

    def _blocks(self, instr: Instr) -> dict[str, Any]:
        """The functions that build an instruction's blocks; their constants are built once, before it."""
        for inner in (i for block in instr.blocks for i in block.every_instr()):
            for operand in inner.operands():
                if isinstance(operand, Const):
                    self._operand(operand)
        keys = _BLOCKS.get(instr.op, ())
        return {key: self._block(block) for key, block in zip(keys, instr.blocks, strict=True)}

    def _block(self, block: Program) -> Callable[..., Any]:
        def build(*given: Any) -> Any:
            outer, self._values = self._values, dict(self._values)
            for ref, value in zip(block.inputs, given, strict=True):
                value.name = ref.name
                self._values[ref.name] = value
            for instr in block.instrs:
                self._instr(instr)
            results = tuple(self._as_number(self._operand(operand)) for _, operand in block.outputs)
            self._values = outer
            for value in results:  # values inferred for one iteration need not hold for the next
                if value.op is None or value.op.op_type != "const":
                    value._sym_val = None
            return results if len(results) > 1 else results[0]

        return build

    def _as_number(self, value: Any) -> Any:
        """The builder distinguishes scalars from 0-D tensors, which the package does not; blocks must agree on one."""
        from coremltools.converters.mil.mil import types

        if value.shape or not types.is_tensor(value.sym_type):
            return value
        if value.op is not None and value.op.op_type == "const":
            return self._mb.const(val=value.val[()], name=self._scope.new(f"{value.name}_number"))
        value._sym_type = value.dtype
        return value

    def _argument(self, argument: Argument) -> Any:
        if isinstance(argument, tuple):
            return [self._operand(v) for v in argument]
        assert argument is not None
        return self._operand(argument)

    def _operand(self, operand: Operand) -> Any:
        if operand.name not in self._values:
            assert isinstance(operand, Const)
            array = _mil_array(operand.numpy(), operand.name)
            self._values[operand.name] = self._narrowed(array, operand.name) or self._const(array, operand.name)
        return self._values[operand.name]

    def _const(self, array: Any, name: str) -> Any:
        """A constant; functions that share weights identify them by content."""
        value = self._mb.const(val=array, name=name)
        if self._shares and array.size >= _WORTH_NARROWING:
            digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
            value.op.weight_id = digest.hexdigest()
        return value

    def _narrowed(self, array: Any, name: str) -> Any:
        """A float32 constant stored as float16 if the target asks for it and its values fit, otherwise None."""
        if not self._narrow or array.dtype != np.float32 or array.size < _WORTH_NARROWING:
            return None
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if np.isfinite(array).all() and not np.isfinite(half).all():
            return None
        return self._mb.constexpr_cast(source_val=half, output_dtype="fp32", name=name)


_BLOCKS = {"cond": ("_true_fn", "_false_fn"), "while_loop": ("_cond", "_body")}
"""The arguments of coremltools' builder that take the functions building an instruction's blocks."""


def _mil_array(array: Any, name: str) -> Any:
    """A constant in MIL's types. Raises `EdgecError` E0401 for an integer beyond int32."""
    if array.dtype.kind in "iu":
        limit = np.iinfo(np.int32)
        if array.size and (array.min() < limit.min or array.max() > limit.max):
            raise error("E0401", f"constant `{name}` contains an integer beyond 32 bits, which Core ML lacks")
        return array.astype(np.int32)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _literal(value: Any, half: bool) -> Any:
    """A literal; floats get the operation's precision."""
    if isinstance(value, float):
        return np.float16(value) if half else np.float32(value)
    return list(value) if isinstance(value, tuple) else value


def _forget_symbols(value: Any) -> None:
    """Drop a float's symbolic value: the builder cannot take a 0-D float from it, and no size depends on floats."""
    from coremltools.converters.mil.mil import types

    if types.is_float(value.dtype) and value.val is None:
        value._sym_val = None


def _check_type(instr: Instr, ref: Operand, value: Any) -> None:
    """Compare with the type that coremltools infers: a difference is a wrong lowering, and always an error (E0501)."""
    found = tuple(int(d) if isinstance(d, int | np.integer) else -1 for d in value.shape)
    wanted = tuple(d if isinstance(d, int) else -1 for d in ref.type.shape)
    if found != wanted and not any(d == -1 for d in (*found, *wanted)):
        raise error(
            "E0501",
            f"coremltools infers {list(found)} for the result of `{instr.op}`, the source has {list(wanted)}",
            place=instr.place,
            notes=[f"the result is {ref}"],
            help=[_WAY_OUT],
        )


_WAY_OUT = "compute it with other operations in the source; `--emit program` shows the operation with its operands"

_WORTH_NARROWING = 32
"""Smaller constants (scalars, bounds) keep their type."""


def _specification(mil: Any, parts: Mapping[str, Named], weights: Path, options: CoreMLOptions) -> Any:
    """The model's protobuf; the weight file is written into the folder `weights`."""
    from coremltools.converters.mil.backend.mil.load import load
    from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipeline, PassPipelineManager

    passes = ["common::const_deduplication", "common::dead_code_elimination"]
    PassPipelineManager.apply_pipeline(mil, PassPipeline(passes, "edgec"))
    for name, function in mil.functions.items():
        _use_inputs(function, parts[name].scope)
    version = int(getattr(coremltools().target, options.minimum_deployment_target))
    arguments = {"weights_dir": str(weights), "specification_version": version, "convert_to": "mlprogram"}
    spec = load(mil, classifier_config=_classifier(options), **arguments)
    _name_classifier(spec.mlProgram)
    spec.description.metadata.userDefined.clear()
    describe_model(spec.description.metadata, options)
    return spec


def _name_classifier(program: Any) -> None:
    """Name `classify`, which coremltools appends and numbers by a per-process counter, after its label."""
    for function in program.functions.values():
        for op in function.block_specializations[function.opset].operations:
            if op.type == "classify":
                op.attributes["name"].immediateValue.tensor.strings.values[:] = [op.outputs[0].name]


def _use_inputs(function: Any, scope: Scope) -> None:
    """Core ML's compiler requires that every input is used: an unused one gets an identity."""
    from coremltools.converters.mil import Builder

    with function:
        for name, value in function.inputs.items():
            if not value.child_ops:
                Builder.identity(x=value, name=scope.new(f"{name}_unused"))


def _classifier(options: CoreMLOptions) -> Any:
    if options.classifier is None:
        return None
    labels, name, output = list(options.classifier.labels), options.classifier.label_output, options.classifier.output
    config = coremltools().ClassifierConfig
    return config(labels, predicted_feature_name=name, predicted_probabilities_output=output)
