"""A package's inputs, outputs and states, with the types that its program declares for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgec.ledger.coreml.package import Kind, Package, kind_of

ARRAYS = {65552: "fp16", 65568: "fp32", 65600: "fp64", 131104: "int32", 131080: "int8"}
"""`ArrayFeatureType.ArrayDataType` numbers and MIL's type names."""

SOURCE = "apple/coremltools, mlmodel/format/FeatureTypes.proto"


def features_of(package: Package) -> Iterator[tuple[str, str, Any]]:
    """Each input, output and state: its function, which of the three it is, and the message."""
    for name, description in package.descriptions:
        for kind in ("input", "output", "state"):
            yield from ((name, kind, feature) for feature in getattr(description, kind))


def where_of(function: str, kind: str, feature: Any) -> str:
    """The location, for messages."""
    return f"{function}: {kind} `{feature.name[:80]}`"


def given_by(package: Package, name: str) -> list[tuple[str, Kind]]:
    """A function's outputs, by name and type."""
    function = package.function(name)
    if function is None or function.block is None:
        return []
    made = {v.name: kind_of(v.type) for op in function.block.operations for v in op.outputs}
    made |= {v.name: kind_of(v.type) for v in function.message.inputs}
    return [(output, made[output]) for output in function.block.outputs if output in made]


def typed_features(package: Package) -> Iterator[tuple[str, Any, Kind]]:
    """Arrays of the interface with the type that the program declares for them."""
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
    """The array type of a feature or a state; None for other features."""
    which = feature.type.WhichOneof("Type")
    if which == "multiArrayType":
        return feature.type.multiArrayType
    return feature.type.stateType.arrayType if which == "stateType" else None
