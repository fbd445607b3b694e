"""The keyword arguments of the Python API, and what they are in the command line's terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from edgec.frontend.request import safe_name
from edgec.spec.project import ModelRequest
from edgec.spec.request_options import SourceOptions, TargetOptions

Arguments = tuple[Any, ...] | dict[str, Any]
"""The arguments of `forward`: a tuple, or a dictionary of keyword arguments."""


class SourceKeywords(TypedDict, total=False):
    """What may be said of a source, as for the command line's options of the same names.

    `input` describes inputs instead of an example (`"x=1x3x224x224"`). `weights` are loaded into a copy of a module.
    `dynamic` opens dimensions (`"x:0=batch:1..16"`), `state` passes an output on to an input (`"past=present"`),
    `ranges` declare what inputs may be (`"x=0..255"`). `functions` are further sources by name, or pairs of a source
    and its example inputs, which become functions of the same artifact. `samples` are further arguments like the
    example inputs, or `.npz` files. `extension` is a Python file that defines custom operators.
    """

    input: Sequence[str]
    weights: str | Path
    extra_weights: str
    dynamic: Sequence[str]
    state: Sequence[str]
    ranges: Sequence[str]
    functions: Mapping[str, Any]
    samples: Sequence[Arguments] | str
    calibrate: str | Path
    extension: str | Path


class TargetKeywords(TypedDict, total=False):
    """What is asked of a target: `settings` as `--set` takes them (`"numerics.compute=float32"`), and rules by name."""

    settings: Sequence[str]
    io_layout: Sequence[str]
    via: str
    enable: Sequence[str]
    disable: Sequence[str]


class PredictKeywords(SourceKeywords, TargetKeywords, total=False):
    """What a prediction may be told: the `device` (else the target's first), the model's `name`.

    `progress` is called with each step, in words.
    """

    name: str | None
    device: str | None
    progress: Callable[[str], None]


class BuildKeywords(PredictKeywords, total=False):
    """What a build may be told: `emit` also writes `onnx` or `program`, `verify` compares the graph after each pass."""

    out: str | Path
    emit: Sequence[str]
    verify: bool


def model_request(ref: str, functions: Mapping[str, str], options: Mapping[str, Any]) -> ModelRequest:
    """The request in the command line's terms; `functions` are the names of further sources, `options` keywords."""
    samples, name = options.get("samples"), options.get("name")
    source = SourceOptions(
        input=tuple(options.get("input", ())),
        samples=samples if isinstance(samples, str) else None,
        calibrate=_text(options, "calibrate"),
        weights=_text(options, "weights"),
        extra_weights=_text(options, "extra_weights"),
        extension=_text(options, "extension"),
        dynamic=tuple(options.get("dynamic", ())),
        function=tuple(f"{function}={source}" for function, source in functions.items()),
        state=tuple(options.get("state", ())),
        range=tuple(options.get("ranges", ())),
    )
    target = TargetOptions(
        tuple(options.get("settings", ())),
        tuple(options.get("io_layout", ())),
        options.get("via"),
        tuple(options.get("enable", ())),
        tuple(options.get("disable", ())),
    )
    return ModelRequest(
        ref,
        safe_name(name) if name else None,
        out=str(options.get("out", "build")),
        device=options.get("device"),
        emit=tuple(options.get("emit", ())),
        options=source,
        settings=target,
    )


def _text(options: Mapping[str, Any], key: str) -> str | None:
    return str(options[key]) if options.get(key) else None
