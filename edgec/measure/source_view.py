"""An artifact by its source's names, layouts and states, so that artifacts of different formats are given the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from edgec.artifact.locate import Located
from edgec.artifact.manifest import Manifest
from edgec.artifact.shown import Shown, ShownScores
from edgec.diag import error
from edgec.measure.arrays import Array
from edgec.measure.inspection import Feature, inspect

Values = list[tuple[str, Array]]


def source_inputs(found: Located) -> tuple[Feature, ...]:
    """What the source takes, and the states that the artifact keeps. Without a manifest it is what the file says.

    Raises `EdgecError` E0604 for a broken file.
    """
    if found.manifest is None:
        return tuple(_of_source(found, inspect(found.path).inputs))
    tensors = (Feature(t.name, t.dtype, t.shape) for t in found.manifest.inputs)
    return (*tensors, *_kept(found, found.manifest))


def common_inputs(a: Located, b: Located) -> tuple[Feature, ...]:
    """What either takes, with sizes that fit both: a dimension that is open in both has its least size."""
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
    """The inputs in the source's layout, where the file itself tells that it has another."""
    last: Collection[str] = ()
    if found.path.suffix == ".tflite":
        from edgec.runners.litert import channels_last_names

        last = channels_last_names(found.path)
    for f in features:
        yield Feature(f.name, f.dtype, (f.shape[0], f.shape[-1], *f.shape[1:-1])) if f.name in last else f


def _kept(found: Located, manifest: Manifest) -> Iterator[Feature]:
    if any(state.kept == "artifact" for state in manifest.states):
        from edgec.runners.mil import MilRunner

        with MilRunner(found.path) as runner:
            yield from (Feature(state.name, "float32", state.shape) for state in runner.states)


def from_app(found: Located, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The source's inputs for what an app gives to the artifact: pixels become what the source takes of them."""
    shown = found.manifest.shown if found.manifest else Shown()
    return {n: a if (image := shown.image(n)) is None else image.value(a) for n, a in arrays.items()}


def labelled(found: Located, outputs: Sequence[str]) -> Shown:
    """What a classifier without a manifest shows: its scores are the one output of the source that it does not name."""
    if found.path.suffix != ".mlpackage":
        return Shown()
    from edgec.runners.mil import MilRunner

    with MilRunner(found.path) as runner:
        own = {feature.kind: feature.name for feature in runner.outputs}
        missing = set(outputs) - {feature.name for feature in runner.outputs}
    if len(missing) != 1 or not {"label", "probabilities"} <= own.keys():
        return Shown()
    return Shown(scores=(ShownScores(missing.pop(), own["label"], own["probabilities"]),))


def fitted(arrays: Mapping[str, Array], features: Sequence[Feature]) -> dict[str, Array]:
    """The arrays that an artifact takes, in its element types; channels moved where only that makes one fit.

    Raises `EdgecError` E0107 for an array that does not fit.
    """
    return {f.name: _fitted(arrays[f.name], f) for f in features}


def _fitted(array: Array, feature: Feature) -> Array:
    moved = (array, *((np.moveaxis(array, 1, -1), np.moveaxis(array, -1, 1)) if array.ndim > 2 else ()))
    fitting = [a for a in moved if _fits(a, feature)]
    if not fitting:
        shapes = f"{list(array.shape)}, the artifact takes {list(feature.shape)}"
        raise error("E0107", f"input `{feature.name}` does not fit", notes=[f"it has shape {shapes}"])
    return np.asarray(fitting[0], dtype=feature.dtype)


def _fits(array: Array, feature: Feature) -> bool:
    if array.ndim != len(feature.shape):
        return False
    pairs = zip(array.shape, feature.shape, strict=True)
    return all(not _is_size(wanted) or size == wanted for size, wanted in pairs)


def all_values(found: Located, inputs: Mapping[str, Array]) -> Values:
    """Every value that the artifact computes from the source's inputs, in order, by its source's name.

    The last are the source's outputs and the states afterwards, in its layout. Raises `EdgecError` E0603.
    """
    suffix = found.path.suffix
    if suffix == ".mlpackage":
        inside, results = _of_package(found, inputs)
    elif suffix == ".tflite":
        inside, results = _of_tflite(found, inputs)
    elif suffix in (".onnx", ".engine"):
        inside, results = _of_onnx(found, inputs)
    else:
        raise error("E0603", f"the values inside `{found.path.name}` cannot be seen")
    names = found.manifest.names.values if found.manifest else {}
    called = [(names.get(name, name), array) for name, array in inside]
    return [*((name, array) for name, array in called if name not in results), *results.items()]


def _of_package(found: Located, inputs: Mapping[str, Array]) -> tuple[Values, dict[str, Array]]:
    from edgec.runners.mil.as_source import SourceRunner

    seen: Values = []
    shown = found.manifest.shown if found.manifest else Shown()
    outputs = {state.input: state.output for state in found.manifest.states} if found.manifest else {}
    with SourceRunner(found.path, shown, tap=lambda name, value: seen.append((name, np.array(value)))) as runner:
        kept = runner.state_values().keys()
        runner.set_states({name: inputs[name] for name in kept if name in inputs})
        results = runner.run({name: array for name, array in inputs.items() if name not in kept})
        results |= {outputs.get(name, name): value for name, value in runner.state_values().items()}
    return seen, results


def _of_tflite(found: Located, inputs: Mapping[str, Array]) -> tuple[Values, dict[str, Array]]:
    from edgec.runners.litert import LiteRTRunner

    with LiteRTRunner(found.path, keep_values=True, as_source=True) as runner:
        results = runner.run(inputs)
        return runner.values(), results


def _of_onnx(found: Located, inputs: Mapping[str, Array]) -> tuple[Values, dict[str, Array]]:
    import onnx_ir as ir

    from edgec.runners.onnxruntime import OnnxRuntimeRunner

    model = ir.load(found.path.with_suffix(".onnx"))
    made = [v for node in model.graph for v in node.outputs if v.name and v.type is not None]
    outputs = [v.name or "" for v in model.graph.outputs]
    model.graph.outputs.extend(v for v in made if v.name not in outputs)
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        results = runner.run(inputs)
    return [(v.name or "", results[v.name or ""]) for v in made], {name: results[name] for name in outputs}
