"""The options of a TFLite target: the interface's layout, the oldest runtime, and metadata."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edgec.spec.reader import Checker, Table

LAYOUTS = ("source", "nhwc")
COLORS = ("rgb", "grayscale")


@dataclass(frozen=True)
class TensorNote:
    """The metadata of one input or output.

    An app fills the input with `(x - mean) / std`, with one number for all channels or one for each.
    `labels` name the elements of the output's last dimension; `label_file` is the name of the file that contains
    them. `color` says that the tensor is an image.
    """

    name: str
    description: str = ""
    color: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    label_file: str = ""


@dataclass(frozen=True)
class TFLiteMetadata:
    """TFLite metadata of the model, and of its inputs and outputs by name."""

    name: str = ""
    description: str = ""
    version: str = ""
    author: str = ""
    license: str = ""
    inputs: tuple[TensorNote, ...] = ()
    outputs: tuple[TensorNote, ...] = ()


@dataclass(frozen=True)
class TFLiteOptions:
    """`io_layout`: `source` keeps the model's own layout, `nhwc` makes 4-D inputs and outputs channels-last.

    `layouts` sets it for single inputs and outputs, by name. `min_runtime` is the oldest release of TensorFlow Lite or
    LiteRT that the file must run on (`2.14`); without one every form of the newest is allowed.
    """

    io_layout: str = "source"
    layouts: tuple[tuple[str, str], ...] = ()
    min_runtime: str = ""
    metadata: TFLiteMetadata = field(default_factory=TFLiteMetadata)


def tflite_options(c: Checker, table: Table) -> TFLiteOptions:
    """Read `[options]`; mistakes are reported to the checker."""
    c.known(table, ("io_layout", "layouts", "min_runtime", "metadata"), "options.")
    layouts = c.table(table, "layouts")
    return TFLiteOptions(
        c.choice(table, "io_layout", LAYOUTS, "source"),
        tuple((name, c.choice(layouts, name, LAYOUTS, "source")) for name in layouts),
        _min_runtime(c, table),
        _metadata(c, c.table(table, "metadata")),
    )


def _min_runtime(c: Checker, table: Table) -> str:
    """A release as text; the number 2.14 is accepted too, but 2.2 could be 2.20."""
    given = table.get("min_runtime")
    is_clear = isinstance(given, float) and len(str(given).partition(".")[2]) > 1
    release = str(given) if is_clear else c.string(table, "min_runtime", "")
    if release and not _RELEASE.fullmatch(release):
        c.problem(f"`{release}` is not a release of TensorFlow Lite, such as 2.14", "min_runtime")
    return release


_RELEASE = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?")


def _metadata(c: Checker, table: Table) -> TFLiteMetadata:
    texts = ("name", "description", "version", "author", "license")
    c.known(table, (*texts, "inputs", "outputs"), "options.metadata.")
    name, description, version, author, license_ = (c.string(table, key, "") for key in texts)
    return TFLiteMetadata(
        name,
        description,
        version,
        author,
        license_,
        inputs=_notes(c, c.table(table, "inputs"), _input),
        outputs=_notes(c, c.table(table, "outputs"), _output),
    )


def _notes(c: Checker, table: Table, read: Callable[[Checker, str, Table], TensorNote]) -> tuple[TensorNote, ...]:
    return tuple(read(c, name, c.table(table, name)) for name in table)


def _input(c: Checker, name: str, table: Table) -> TensorNote:
    c.known(table, ("description", "color", "mean", "std"), f"options.metadata.inputs.{name}.")
    color = c.choice(table, "color", COLORS, "rgb") if "color" in table else ""
    normalized = "mean" in table or "std" in table
    mean = c.numbers(table, "mean", 0.0) if normalized else ()
    std = c.numbers(table, "std", 1.0) if normalized else ()
    if 0.0 in std:
        c.problem(f"`std` of input `{name}` is 0", "std")
    return TensorNote(name, c.string(table, "description", ""), color, mean, std)


def _output(c: Checker, name: str, table: Table) -> TensorNote:
    c.known(table, ("description", "labels"), f"options.metadata.outputs.{name}.")
    file = c.string(table, "labels", "")
    labels = c.labels(file)
    description = c.string(table, "description", "")
    return TensorNote(name, description, labels=labels, label_file=Path(file).name if labels else "")
