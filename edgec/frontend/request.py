"""A source as the user specifies it, and the model's name."""

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
"""Extensions of model files."""


@dataclass(frozen=True)
class Taken:
    """What to load from a weight file: a `part` of a checkpoint that contains several (None: the only one).

    `ignores_extra`: ignore entries that the module does not have. Missing entries are always an error.
    """

    part: str | None = None
    ignores_extra: bool = False


@dataclass(frozen=True)
class Held:
    """A model in memory, its example inputs (None if the request describes them) and further samples."""

    model: Any
    example: Any
    samples: tuple[Any, ...] = ()


@dataclass(frozen=True)
class SourceRequest:
    """A source as given on the command line, with its options; `extension` holds user-defined operators.

    `held`: the source itself if it is in memory; `ref` is then its display name. `project`: the project file that
    contains it; modules are imported from that file's folder. `calibrate` names the samples on which the ranges of
    quantized values are observed.
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
    calibrate: str | None = None


def source_name(request: SourceRequest) -> str:
    """The model's name: `--name`, the attribute or the file's stem, made safe for use as a file name."""
    tail = request.name or request.ref.rpartition(":")[2]
    stem = Path(tail).stem if Path(tail).suffix.lower() in SOURCE_FILES else tail
    return safe_name(stem)


def safe_name(name: str) -> str:
    """The name as a single path component, without separators or parent references."""
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "model"
