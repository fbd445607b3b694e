"""Inspects an artifact or model file of any format."""

from __future__ import annotations

from pathlib import Path

from edgec.artifact.files import sha256_of, size_of
from edgec.artifact.format import format_of
from edgec.measure.inspection.summary import Feature, Summary


def inspect(path: Path, function: str | None = None) -> Summary:
    """Read an artifact or model file, or one function of it. Raises `EdgecError` E0604 or E0203 for a broken one."""
    found = format_of(path).read(path, function)
    return Summary(
        format=path.suffix[1:],
        sha256=sha256_of(path),
        bytes=size_of(path),
        inputs=tuple(found.inputs),
        outputs=tuple(found.outputs),
        ops=dict(sorted(found.ops.items(), key=lambda item: (-item[1], item[0]))),
        weights=tuple(sorted(found.weights, key=lambda w: (-w.bytes, w.name))),
        metadata=found.metadata,
        states=tuple(found.states),
        system=found.system,
    )


def inputs_of(path: Path, function: str | None = None) -> tuple[Feature, ...]:
    """The inputs of an artifact, or of one of its functions."""
    return tuple(format_of(path).read(path, function).inputs)
