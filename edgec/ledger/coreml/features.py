"""A package's inputs, outputs and states, beside the types that its program gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgec.ledger.coreml.package import Kind, Package, kind_of

ARRAYS = {65552: "fp16", 65568: "fp32", 65600: "fp64", 131104: "int32", 131080: "int8"}
"""`ArrayFeatureType.ArrayDataType` by MIL's names."""

SOURCE = "apple/coremltools, mlmodel/format/FeatureTypes.proto"


def features_of(package: Package) -> Iterator[tuple[str, str, Any]]:
    """Each input, output and state: whose, which of the three, and the message."""
    for name, description in package.descriptions:
        for kind in ("input", "output", "state"):
            yield from ((name, kind, feature) for feature in getattr(description, kind))


def where_of(function: str, kind: str, feature: Any) -> str:
    """For a person."""
    return f"{function}: {kind} `{feature.name[:80]}`"


def given_by(package: Package, name: str) -> list[tuple[str, Kind]]:
    """What a function gives, by name and type."""
    function = package.function(name)
    if function is None or function.block is None:
        return []
    made = {v.name: kind_of(v.type) for op in function.block.operations for v in op.outputs}
    made |= {v.name: kind_of(v.type) for v in function.message.inputs}
    return [(output, made[output]) for output in function.block.outputs if output in made]


def typed_features(package: Package) -> Iterator[tuple[str, Any, Kind]]:
    """Arrays of the interface with the type that the program gives them."""
    for name, description in package.descriptions:
        function = package.function(name)
        if function is None:
            continue
        inputs = {v.name: kind_of(v.type) for v in function.message.inputs}
        outputs = dict(given_by(package, name))
        for kind, features, kinds in (("input", description.input, inputs), ("output", description.output, outputs),
                                      ("state", description.state, inputs)):  # fmt: skip
            for feature in features:
                if feature.name in kinds:
                    yield where_of(name, kind, feature), feature, kinds[feature.name]


def array_of(feature: Any) -> Any:
    """A feature's array, a state's too; None for anything else."""
    which = feature.type.WhichOneof("Type")
    if which == "multiArrayType":
        return feature.type.multiArrayType
    return feature.type.stateType.arrayType if which == "stateType" else None
