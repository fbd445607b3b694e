"""What may be said of a source and of its targets: each option once, for every command and for `edgec.toml`.

A field's name is the key in `edgec.toml` and, with dashes, the option of the command line; its `help` is the help text
there. Values are the texts that a person writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

Options = TypeVar("Options")


def _one(help: str) -> Any:
    """An option that is given once."""
    return field(default=None, metadata={"help": help})


def _many(help: str) -> Any:
    """An option that may be repeated."""
    return field(default=(), metadata={"help": help})


@dataclass(frozen=True)
class SourceOptions:
    """What belongs to a source, whatever is done with it."""

    input: tuple[str, ...] = _many("An example input: NAME=SHAPE[:DTYPE], NAME=VALUE or NAME=@FILE.")
    samples: str | None = _one("Real samples: .npz files with the inputs by name; the first is the example.")
    calibrate: str | None = _one("Samples for int8 targets: a file or folder of .npz, .npy, images; or file.py:fn.")
    weights: str | None = _one(
        "Weights for the module: .safetensors or .pt; FILE:PART where a checkpoint holds several."
    )
    extra_weights: str | None = _one("What to do with weights that the module does not have: refuse or ignore.")
    extension: str | None = _one("A Python file that defines custom operators: `edgec explain extensions`.")
    dynamic: tuple[str, ...] = _many("Open dimensions: x:0=batch,2..3=8..512 or 64..512/32.")
    function: tuple[str, ...] = _many("Another function of the same artifact, which shares its weights: NAME=SOURCE.")
    state: tuple[str, ...] = _many("A state, passed from an output to an input of the next run: INPUT=OUTPUT.")
    range: tuple[str, ...] = _many("The range of an input: NAME=LOW..HIGH; NAME=V..V for a constant.")


@dataclass(frozen=True)
class TargetOptions:
    """What is asked of a target beside its file."""

    set: tuple[str, ...] = _many("Override a target's setting: KEY=VALUE.")
    io_layout: tuple[str, ...] = _many("TFLite: nhwc for 4-D inputs and outputs, or NAME=nhwc.")
    via: str | None = _one("TFLite: another emitter, onnx2tf, in its own environment.")
    enable: tuple[str, ...] = _many("Enable a rule by name.")
    disable: tuple[str, ...] = _many("Disable a rule by name.")


def said(options: Any) -> dict[str, Any]:
    """The options that were given, by their names, in the order of their fields."""
    return {f.name: value for f in fields(options) if (value := getattr(options, f.name))}


def over(first: Options, others: Options) -> Options:
    """`first`, with what only `others` say."""
    given: Mapping[str, Any] = said(first)
    return replace(others, **given)  # type: ignore[type-var]
