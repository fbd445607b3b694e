"""Rows about a program's structure: functions, states, used inputs, computed outputs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from edgec.ledger.coreml.features import typed_features
from edgec.ledger.coreml.package import Package, kind_of
from edgec.ledger.row import Breach, Row

_IOS18 = 9
_LOAD = "coremltools, backend/mil/load.py"


def _unused(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        if function.block is None:
            continue
        used = {b.name for op in package.operations if op.function == function.name for _, b in op.arguments()}
        for value in function.message.inputs:
            if value.name not in used and value.name not in function.block.outputs:
                yield Breach(function.name, f"input `{value.name[:80]}`")


def _outputs_twice(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        names = sorted(function.block.outputs) if function.block is not None else []
        yield from (Breach(function.name, f"output `{a[:80]}`") for a, b in pairwise(names) if a == b)


def _some_output(package: Package) -> Iterator[Breach]:
    for name, description in package.descriptions:
        if not description.output and not description.state:
            yield Breach(f"interface of {name}", "nothing is given")


def _functions(package: Package) -> Iterator[Breach]:
    description, named = package.model.description, {f.name for f in package.functions}
    if not description.functions:
        if named != {"main"}:
            yield Breach("program", f"functions {sorted(named)} without an interface for each; a single one is `main`")
        if description.defaultFunctionName:
            yield Breach("interface", f"a default function `{description.defaultFunctionName[:80]}`, but no functions")
        return
    described = [f.name for f in description.functions]
    if package.version < _IOS18:
        yield Breach("interface", f"several functions need specification version {_IOS18} (iOS 18)")
    if set(described) != named or len(described) != len(named):
        yield Breach("interface", f"it describes {sorted(described)}, the program has {sorted(named)}")
    if description.defaultFunctionName not in described:
        yield Breach("interface", f"the default function `{description.defaultFunctionName[:80]}` is none of them")
    if description.input or description.output or description.state or description.trainingInput:
        yield Breach("interface", "features outside the functions")
    if description.predictedFeatureName or description.predictedProbabilitiesName:
        yield Breach("interface", "predicted features outside the functions")


def _states(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        for value in function.message.inputs:
            kind = kind_of(value.type)
            if kind.is_state and kind.dtype != "fp16":
                yield Breach(function.name, f"state `{value.name[:80]}` is {kind.dtype}")
            elif kind.is_state and (not kind.shape or None in kind.shape):
                yield Breach(function.name, f"state `{value.name[:80]}` has shape {kind.shape and list(kind.shape)}")


def _specializations(package: Package) -> Iterator[Breach]:
    """A function has the same outputs in each of its opsets."""
    for function in package.functions:
        blocks = sorted(function.message.block_specializations.items())
        for key, block in blocks[1:]:
            if list(block.outputs) != list(blocks[0][1].outputs):
                yield Breach(function.name, f"`{key[:80]}` and `{blocks[0][0][:80]}` have different outputs")


def _updatable(package: Package) -> Iterator[Breach]:
    if package.model.isUpdatable:
        yield Breach("", "it is marked as updatable")
    for feature in package.model.description.trainingInput:
        yield Breach("interface", f"training input `{feature.name[:80]}`")


def _state_version(package: Package) -> Iterator[Breach]:
    for function in package.functions:
        for value in function.message.inputs:
            if kind_of(value.type).is_state and package.version < _IOS18:
                yield Breach(function.name, f"state `{value.name[:80]}`")


def _state_use(package: Package) -> Iterator[Breach]:
    for op in package.operations:
        for parameter, binding in op.arguments():
            kind = op.kind(binding)
            if kind is None:
                continue
            wanted = op.message.type in ("read_state", "write_state") and parameter == "input"
            if kind.is_state != wanted:
                told = "is a state" if kind.is_state else "is not a state"
                yield Breach(op.where, f"`{parameter}` {told}")


def _state_kind(package: Package) -> Iterator[Breach]:
    for where, feature, kind in typed_features(package):
        if (feature.type.WhichOneof("Type") == "stateType") != kind.is_state:
            yield Breach(where, f"it is {'a state' if kind.is_state else 'no state'} inside")


ROWS: tuple[Row[Package], ...] = (
    Row(
        "functions",
        "each function has an interface, the default function exists, and several functions need iOS 18",
        "Core ML's loader",
        "mlmodel/format/Model.proto, ModelDescription.functions; coremltools, models/utils.py, MultiFunctionDescriptor",
        _functions,
    ),
    Row(
        "specializations",
        "a function has the same outputs in each of its opsets",
        "Core ML's loader",
        "MIL.proto, Function.block_specializations: Outputs from all blocks must match",
        _specializations,
    ),
    Row(
        "not-updatable",
        "an ML Program is not updatable on the device",
        "Core ML's loader",
        "mlmodel/format/Model.proto, Model.isUpdatable: the model types that support on-device update",
        _updatable,
    ),
    Row(
        "state-type",
        "a state is float16 and has a fixed shape",
        "Core ML's compiler",
        f"{_LOAD}: State only support fp16 dtype; Flexible shape model states are not supported",
        _states,
    ),
    Row(
        "state-version",
        "states begin with iOS 18",
        "Core ML's loader",
        "FeatureTypes.proto, StateFeatureType; coremltools: States need minimum_deployment_target iOS18",
        _state_version,
    ),
    Row(
        "state-use",
        "only `read_state` and `write_state` access states, and nothing else",
        "Core ML's compiler",
        "coremltools, ops/defs/iOS18/states.py and coreml_dialect",
        _state_use,
    ),
    Row(
        "state-interface",
        "every state of the program is in the interface",
        "Core ML's compiler",
        f"{_LOAD}, `get_func_input`",
        _state_kind,
    ),
    Row(
        "input-used",
        "every input is used",
        "Core ML's compiler",
        "coremltools runs `nn_backend::handle_unused_inputs` on every ML Program: an identity that consumes the input",
        _unused,
    ),
    Row(
        "output-once",
        "the outputs of a function are unique",
        "Core ML's loader",
        f"{_LOAD}: outputs are described by name",
        _outputs_twice,
    ),
    Row(
        "output-some",
        "a function has an output",
        "Core ML's loader",
        "a model without outputs has no prediction (MLModel)",
        _some_output,
    ),
)
