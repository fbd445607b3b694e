"""The summary of a file or source: its interface, states, operators and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgec.artifact.manifest import Manifest


@dataclass(frozen=True)
class Feature:
    """An input or output. An open dimension is given by name, or as -1 in formats without names.

    `image` is the color layout of an image, such as `rgb`; empty for a tensor. `labels` are the classes of an output's
    scores, in order. The values of an image are `pixel * scale + bias`, for all channels or for each.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    image: str = ""
    labels: tuple[str, ...] = ()
    scale: tuple[float, ...] = (1.0,)
    bias: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class HeldState:
    """A state. `kept` is `artifact`, `app` (which passes `output` of one run to `input` of the next) or `target` (it
    depends on the target). `output` is empty for a state without an output.
    """

    input: str
    output: str
    kept: str
    dtype: str = ""
    shape: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Weight:
    """A constant tensor; `bytes` is its stored size."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def module(self) -> str:
        """The path of the module that it belongs to, empty where its name has none: `layer1.0 (weight)`, `fc.bias`."""
        path, parenthesis, _ = self.name.partition(" (")
        return path if parenthesis else path.rpartition(".")[0] if "/" not in path else ""


@dataclass(frozen=True)
class Content:
    """What the reader of a format returns. `system`: the oldest system or runtime that reads the file, if known."""

    inputs: list[Feature]
    outputs: list[Feature]
    ops: dict[str, int]
    weights: list[Weight]
    metadata: dict[str, str]
    states: list[HeldState] = field(default_factory=list)
    system: str = ""


@dataclass(frozen=True)
class Summary:
    """A file or source as shown by `edgec inspect`. `sha256` and `bytes` of a package are over its files in order."""

    format: str
    sha256: str
    bytes: int
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    ops: dict[str, int]
    weights: tuple[Weight, ...]
    metadata: dict[str, str] = field(default_factory=dict)
    states: tuple[HeldState, ...] = ()
    system: str = ""
    macs: int | None = None

    @property
    def parameters(self) -> int:
        """The number of elements of floating-point constants and of integer constants of up to 8 bits."""
        kinds = ("float", "bfloat", "int8", "uint8", "int4", "uint4", "fp")
        return sum(_elements(w.shape) for w in self.weights if w.dtype.startswith(kinds))

    @property
    def modules(self) -> dict[str, int]:
        """Bytes of the constants by the module that they belong to, the largest first."""
        found: Counter[str] = Counter()
        for weight in self.weights:
            found[weight.module] += weight.bytes
        return dict(found.most_common())

    def described(self, manifest: Manifest) -> Summary:
        """A copy with the source's names of the weights, the states and the operations of the manifest."""
        names = {**manifest.names.values, **manifest.parameters}
        weights = tuple(replace(w, name=names.get(w.name, w.name)) for w in self.weights)
        inputs = {f.name: f for f in (*self.inputs, *_features(self.states))}
        states = tuple(_described(s.input, s.output, s.kept, inputs) for s in manifest.states) or self.states
        return replace(self, weights=weights, states=states, macs=manifest.graph.macs)


def _features(states: tuple[HeldState, ...]) -> list[Feature]:
    return [Feature(s.input, s.dtype, s.shape) for s in states]


def _described(given: str, made: str, kept: str, inputs: Mapping[str, Feature]) -> HeldState:
    known = inputs.get(given)
    return HeldState(given, made, kept, known.dtype if known else "", known.shape if known else ())


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
