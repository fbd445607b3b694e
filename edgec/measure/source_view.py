"""An artifact seen through its source's names, layouts and states, so that all formats can be given the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edgec.artifact.format import format_of
from edgec.artifact.locate import Located
from edgec.artifact.manifest import Manifest
from edgec.artifact.shown import Shown
from edgec.diag import error
from edgec.measure.arrays import Array
from edgec.measure.inspection import Feature, inspect

Values = list[tuple[str, Array]]


def source_inputs(found: Located) -> tuple[Feature, ...]:
    """The source's inputs, and the states that the artifact keeps; without a manifest, the inputs of the file.

    Raises `EdgecError` E0604 for a broken file.
    """
    if found.manifest is None:
        return tuple(_of_source(found, inspect(found.path).inputs))
    tensors = (Feature(t.name, t.dtype, t.shape) for t in found.manifest.inputs)
    return (*tensors, *_kept(found, found.manifest))


def common_inputs(a: Located, b: Located) -> tuple[Feature, ...]:
    """The inputs of either artifact, with sizes that fit both: a dimension open in both has its smallest size."""
    lows: dict[str, int] = {}
    for found in (a, b):
        for name, (low, _) in found.manifest.dimensions.items() if found.manifest else ():
            lows[name] = max(low, lows.get(name, low))
    features: dict[str, Feature] = {}
    for feature in (*source_inputs(a), *source_inputs(b)):
        known = features.get(feature.name, feature)
        dims = (known.shape, feature.shape) if len(known.shape) == len(feature.shape) else (known.shape, known.shape)
        shape = tuple(x if _is_size(x) else y for x, y in zip(*dims, strict=True))
        features[feature.name] = Feature(known.name, known.dtype, shape)
    return tuple(
        Feature(f.name, f.dtype, tuple(d if _is_size(d) else lows.get(str(d), 1) for d in f.shape))
        for f in features.values()
    )


def _is_size(dim: int | str) -> bool:
    return isinstance(dim, int) and dim >= 0


def _of_source(found: Located, features: Sequence[Feature]) -> Iterator[Feature]:
    """The inputs in the source's layout, if the file records that its own differs."""
    last = format_of(found.path).channels_last(found.path)
    for f in features:
        yield Feature(f.name, f.dtype, (f.shape[0], f.shape[-1], *f.shape[1:-1])) if f.name in last else f


def _kept(found: Located, manifest: Manifest) -> Iterator[Feature]:
    if any(state.kept == "artifact" for state in manifest.states):
        yield from format_of(found.path).states(found.path)


def from_app(found: Located, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The source's inputs for what an app passes to the artifact: pixels become the values that they stand for."""
    shown = found.manifest.shown if found.manifest else Shown()
    return {n: a if (image := shown.image(n)) is None else image.value(a) for n, a in arrays.items()}


def fitted(arrays: Mapping[str, Array], features: Sequence[Feature]) -> dict[str, Array]:
    """The arrays in the artifact's element types; channels are moved if an array fits only then.

    Raises `EdgecError` E0107 for an array that does not fit.
    """
    return {f.name: _fitted(arrays[f.name], f) for f in features}


def _fitted(array: Array, feature: Feature) -> Array:
    moved = (array, *((np.moveaxis(array, 1, -1), np.moveaxis(array, -1, 1)) if array.ndim > 2 else ()))
    fitting = [a for a in moved if _fits(a, feature)]
    if not fitting:
        shapes = f"{list(array.shape)}, the artifact expects {list(feature.shape)}"
        raise error("E0107", f"input `{feature.name}` does not fit", notes=[f"it has shape {shapes}"])
    return np.asarray(fitting[0], dtype=feature.dtype)


def _fits(array: Array, feature: Feature) -> bool:
    if array.ndim != len(feature.shape):
        return False
    pairs = zip(array.shape, feature.shape, strict=True)
    return all(not _is_size(wanted) or size == wanted for size, wanted in pairs)


def all_values(found: Located, inputs: Mapping[str, Array]) -> Values:
    """Every value that the artifact computes from the source's inputs, in order, by its source's name.

    The last are the source's outputs and the new states, in the source's layout. Raises `EdgecError` E0603.
    """
    shown = found.manifest.shown if found.manifest else Shown()
    inside, results = format_of(found.path).values(found.path, inputs, shown)
    after = {state.input: state.output for state in found.manifest.states} if found.manifest else {}
    results = {after.get(name, name): value for name, value in results.items()}
    names = found.manifest.names.values if found.manifest else {}
    called = [(names.get(name, name), array) for name, array in inside]
    return [*((name, array) for name, array in called if name not in results), *results.items()]
