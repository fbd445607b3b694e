"""A source as the user names it, and what it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgec.frontend.dynamic import DynamicDim
from edgec.frontend.extensions import Extension
from edgec.frontend.samples.inputs import InputSpec
from edgec.spec.ranges import InputRange

SOURCE_FILES = frozenset({".onnx", ".pt2", ".skops", ".pt", ".pth", ".ts", ".torchscript"})
"""Endings of files that hold a model."""


@dataclass(frozen=True)
class Taken:
    """What is taken of a file of weights: one `part` of a checkpoint that holds several (None: the only one).

    `ignores_extra`: names that the module does not have are passed over; those that it lacks never are.
    """

    part: str | None = None
    ignores_extra: bool = False


@dataclass(frozen=True)
class Held:
    """A model in memory, its example inputs (None where the request describes them) and further samples like them."""

    model: Any
    example: Any
    samples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class SourceRequest:
    """A source as the command line names it, with what goes with it; `extension` knows the user's own operators.

    `held`: the source itself, where it is in memory; `ref` is then what it is called. `project`: the project file
    that it stands in; modules are imported from its folder.
    """

    ref: str
    inputs: tuple[InputSpec, ...] = ()
    name: str | None = None
    weights: Path | None = None
    dynamic: tuple[DynamicDim, ...] = ()
    states: tuple[tuple[str, str], ...] = ()
    ranges: tuple[InputRange, ...] = ()
    extension: Extension = field(default_factory=Extension)
    taken: Taken = field(default_factory=Taken)
    held: Held | None = None
    project: Path | None = None


def source_name(request: SourceRequest) -> str:
    """The model's name: `--name`, the attribute, or the file's stem, safe as a file name."""
    tail = request.name or request.ref.rpartition(":")[2]
    stem = Path(tail).stem if Path(tail).suffix.lower() in SOURCE_FILES else tail
    return safe_name(stem)


def safe_name(name: str) -> str:
    """The name as one part of a path, which never leads elsewhere."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "model"
