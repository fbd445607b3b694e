"""An artifact's interface as an app sees it: names, shapes and element types of the file, images, labels, states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AppImage:
    """An image input or output with 8 bits per channel; `color` is the order of its channels, empty if not declared.

    For an input, the model receives `pixel * scale + bias`; for an output, the app receives `value * scale + bias`.
    Pixels are from 0 to 255, with one number for all channels or one for each. `by`: whether the `artifact` or the
    `app` computes it.
    """

    color: str
    scale: tuple[float, ...]
    bias: tuple[float, ...]
    by: str


@dataclass(frozen=True)
class Described:
    """A backend's description of one input or output of a target's artifacts, by the source's name."""

    name: str
    image: AppImage | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class AppTensor:
    """One input or output. `source` is its name in the source; `shape` is in the file's own layout.

    An open dimension is given by name, with its range of sizes in `open`. `layout` is `NHWC` if a 4-D tensor has its
    channels last in the file but second in the source, else `source`. `kind` is `tensor`, `image`, or for a classifier
    `label` or `probabilities` by label.
    """

    name: str
    source: str
    shape: tuple[int | str, ...]
    dtype: str
    layout: str = "source"
    kind: str = "tensor"
    image: AppImage | None = None
    labels: tuple[str, ...] = ()
    open: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class AppState:
    """A state, by the artifact's names. `kept` by the `artifact`, or by the `app`, which passes `output` to `input`."""

    input: str
    output: str
    kept: str


@dataclass(frozen=True)
class App:
    """What an app passes to an artifact, or to one of its functions, and receives."""

    inputs: tuple[AppTensor, ...] = ()
    outputs: tuple[AppTensor, ...] = ()
    states: tuple[AppState, ...] = ()


def load_app(table: Mapping[str, Any]) -> App:
    """Read the table of a manifest. Raises KeyError or TypeError for an invalid one."""
    inputs, outputs = (tuple(map(_tensor, table.get(key, ()))) for key in ("inputs", "outputs"))
    states = tuple(AppState(s["input"], s["output"], s["kept"]) for s in table.get("states", ()))
    return App(inputs, outputs, states)


def _tensor(t: Mapping[str, Any]) -> AppTensor:
    image = t.get("image")
    return AppTensor(
        t["name"],
        t["source"],
        tuple(t["shape"]),
        t["dtype"],
        t.get("layout", "source"),
        t.get("kind", "tensor"),
        AppImage(image["color"], tuple(image["scale"]), tuple(image["bias"]), image["by"]) if image else None,
        tuple(t.get("labels", ())),
        {name: (int(low), int(high)) for name, (low, high) in t.get("open", {}).items()},
    )
