"""Runs an artifact for inspection: inputs from files and images, class labels, states carried across steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgec.artifact.locate import Located, locate
from edgec.diag import error
from edgec.frontend.samples.files import IMAGES, image_in
from edgec.measure.arrays import Array, check_arrays, load_arrays
from edgec.measure.inspection import Feature, inspect
from edgec.runners.base import Runner
from edgec.runners.open import open_runner


@dataclass(frozen=True)
class RunRequest:
    """What to run. `inputs` are `FILE.npy`, `FILE.npz` or `FILE.png`, prefixed with `NAME=` if there are several
    inputs.

    An array with one dimension more than its input contains a value for each step. `labels` is a file with one label
    per line. `steps` is the number of runs; by default that of the arrays, or 1.
    """

    artifact: Path
    inputs: tuple[str, ...] = ()
    labels: Path | None = None
    steps: int | None = None
    precision: str | None = None
    function: str | None = None
    on: str = "local"


@dataclass(frozen=True)
class Ran:
    """The outputs of the last step, the labels of scores, and the states that started as zeros."""

    path: Path
    runner: str
    steps: int
    outputs: dict[str, Array]
    labels: dict[str, tuple[str, ...]]
    zeros: tuple[str, ...] = ()


def run_artifact(request: RunRequest) -> Ran:
    """Run the artifact, passing states from each step to the next as the app has to.

    Raises `EdgecError` E0102 for a missing file, E0107 for inputs that do not fit, E0101 for steps of a model without
    states.
    """
    found = locate(request.artifact)
    summary = inspect(found.path, request.function)
    features = _features(found, summary.inputs)
    passed = {s.input: s.output for s in found.manifest.app.states if s.kept == "app"} if found.manifest else {}
    given = _given(request.inputs, features, found)
    zeros = [f for f in features if f.name in passed and f.name not in given]
    given |= {f.name: np.zeros([d if isinstance(d, int) and d > 0 else 1 for d in f.shape], f.dtype) for f in zeros}
    check_arrays(given, features)
    steps = _steps(given, features, request.steps)
    if steps > 1 and not passed and not summary.states and not _in_steps(given, features):
        raise error(
            "E0101",
            f"`--steps {steps}` runs a model without states {steps} times on the same inputs",
            help=["remove `--steps`, or give arrays with one value for each step"],
        )
    with open_runner(found.path, request.precision, function=request.function, on=request.on) as runner:
        outputs = _run(runner, given, features, passed, steps)
        labels = _labels(found, (*summary.outputs,), outputs, request.labels)
        return Ran(found.path, runner.name, steps, outputs, labels, tuple(f.name for f in zeros))


def _features(found: Located, inputs: Sequence[Feature]) -> list[Feature]:
    """The inputs, with the pixel normalization known from the manifest."""
    app = {t.name: t.image for t in found.manifest.app.inputs if t.image is not None} if found.manifest else {}
    result = []
    for feature in inputs:
        image = app.get(feature.name)
        if image is not None and image.by == "app":
            feature = replace(feature, image=image.color or "rgb", scale=image.scale, bias=image.bias)
        result.append(feature)
    return result


def _given(texts: Sequence[str], features: Sequence[Feature], found: Located) -> dict[str, Array]:
    arrays = [text for text in texts if Path(text.rpartition("=")[2]).suffix.lower() not in IMAGES]
    given = load_arrays(arrays, features)
    images = [f for f in features if f.image] or list(features)
    for text in (text for text in texts if text not in arrays):
        name, _, file = text.rpartition("=")
        named = [f for f in features if f.name == name] if name else images
        if len(named) != 1:
            shown = ", ".join(f"`{f.name}`" for f in features)
            what = f"the artifact has no input `{name}`" if name else f"`--input {text}` does not name its input"
            raise error("E0107", what, notes=[f"its inputs are {shown}"], help=[f"write `--input NAME={file}`"])
        given[named[0].name] = _pixels(Path(file), named[0], found)
    return given


def _pixels(path: Path, feature: Feature, found: Located) -> Array:
    """The image as the input requires. Raises `EdgecError` E0107 for a tensor whose pixel normalization is unknown."""
    if not path.is_file():
        raise error("E0102", f"`{path}` was not found")
    image = image_in(path)
    if feature.image:
        return image.normalized(feature.shape, feature.image, feature.scale, feature.bias).astype(feature.dtype)
    ranges = found.manifest.ranges if found.manifest else ()
    ends = [(r.low, r.high) for r in ranges if r.input == feature.name]
    if not ends or ends[0][0] is None or ends[0][1] is None:
        raise error(
            "E0107",
            f"input `{feature.name}` is a tensor, and its values for the pixels of an image are not known",
            notes=[f"it is {feature.dtype}{list(feature.shape)}"],
            help=[
                "give the values that the model takes: `--input x.npy`",
                f"or build it with `--range {feature.name}=0..255`, or with an image in the target's options",
            ],
        )
    sizes = [d if isinstance(d, int) and d > 0 else None for d in feature.shape]
    return image.arranged(sizes, (ends[0][0], ends[0][1])).astype(feature.dtype)


def _in_steps(given: Mapping[str, Array], features: Sequence[Feature]) -> list[str]:
    """The inputs with a separate value for each step."""
    return [f.name for f in features if given[f.name].ndim == len(f.shape) + 1]


def _steps(given: Mapping[str, Array], features: Sequence[Feature], asked: int | None) -> int:
    counts = {name: len(given[name]) for name in _in_steps(given, features)}
    if len(set(counts.values())) > 1 or (asked is not None and any(count < asked for count in counts.values())):
        told = ", ".join(f"`{name}` {count}" for name, count in counts.items())
        raise error("E0107", f"the inputs hold different numbers of steps: {told}", help=["give as many for each"])
    return asked or next(iter(counts.values()), 1)


def _run(
    runner: Runner, given: Mapping[str, Array], features: Sequence[Feature], passed: Mapping[str, str], steps: int
) -> dict[str, Array]:
    sequences = set(_in_steps(given, features))
    carried: dict[str, Array] = {}
    outputs: dict[str, Array] = {}
    for step in range(steps):
        inputs = {name: array[step] if name in sequences else array for name, array in given.items()}
        outputs = runner.run({**inputs, **carried})
        carried = {name: outputs[output] for name, output in passed.items()}
    return outputs


def _labels(
    found: Located, features: Sequence[Feature], outputs: Mapping[str, Array], file: Path | None
) -> dict[str, tuple[str, ...]]:
    """The labels of each output that has a score for each of them; those in `file` for the output that they fit.

    Raises `EdgecError` E0102 if the file is missing, E0107 if no output has that many scores.
    """
    known = {f.name: f.labels for f in features if f.labels}
    known |= {t.name: t.labels for t in found.manifest.app.outputs if t.labels} if found.manifest else {}
    if file is not None:
        if not file.is_file():
            raise error("E0102", f"`{file}` was not found")
        read = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
        fitting = [name for name, array in outputs.items() if array.size == len(read)]
        if not fitting:
            sizes = ", ".join(f"`{name}` {list(array.shape)}" for name, array in outputs.items())
            raise error("E0107", f"no output has a score for each of the {len(read)} labels", notes=[sizes])
        known[fitting[0]] = read
    return {n: labels for n, labels in known.items() if n in outputs and outputs[n].size == len(labels)}
