"""Two artifacts of one model, value by value: where they part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from edgec.diag import error
from edgec.measure.arrays import Array
from edgec.measure.fidelity import Difference, compare

_LAYOUTS = {4: ((0, 1, 2, 3), (0, 2, 3, 1), (0, 3, 1, 2)), 3: ((0, 1, 2), (0, 2, 1))}
"""Orders of dimensions in which two formats may hold one value: as it is, channels last, channels first."""


@dataclass(frozen=True)
class Pair:
    """A value that both artifacts compute under one name, and how far apart it is."""

    name: str
    other: str
    difference: Difference


def all_values(
    path: Path, inputs: dict[str, Array], sources: Mapping[str, str] | None = None
) -> list[tuple[str, Array]]:
    """Every value that the artifact computes, in the order in which it does, by its source's name.

    `sources` are the names of values that the artifact calls otherwise. Raises `EdgecError` E0603.
    """
    found = _values(path, inputs)
    return [((sources or {}).get(name, name), value) for name, value in found]


def _values(path: Path, inputs: dict[str, Array]) -> list[tuple[str, Array]]:
    if path.suffix == ".mlpackage":
        return _of_package(path, inputs)
    if path.suffix == ".tflite":
        return _of_tflite(path, inputs)
    if path.suffix in (".onnx", ".engine"):
        return _of_onnx(path.with_suffix(".onnx"), inputs)
    raise error("E0603", f"the values inside `{path.name}` cannot be seen")


def pairs(first: Iterable[tuple[str, Array]], second: Iterable[tuple[str, Array]]) -> list[Pair]:
    """The values that have a counterpart, in the first artifact's order.

    Names are compared without their suffixes and punctuation: the formats allow different ones. A value with another
    number of elements, or in no known layout, has no counterpart; one of exactly the same name comes first.
    """
    others: dict[str, list[tuple[str, Array]]] = {}
    for name, array in second:
        others.setdefault(_key(name), []).append((name, array))
    found = []
    for name, array in first:
        for other, candidate in sorted(others.get(_key(name), []), key=lambda pair: pair[0] != name):
            aligned = _aligned(array, candidate)
            if aligned is not None:
                found.append(Pair(name, other, compare(name, array, aligned)))
                break
    return found


def _key(name: str) -> str:
    return re.sub(r"\W", "_", name.split("/")[0]).strip("_").lower()


def _aligned(array: Array, other: Array) -> Array | None:
    """The other value in the first one's layout: of the orders that fit, the one that is nearest."""
    if array.dtype.kind in "OSU" or array.size != other.size or array.size == 0:
        return None
    orders = _LAYOUTS.get(other.ndim, tuple(permutations(range(other.ndim))) if other.ndim < 3 else ((),))
    fitting = [t for o in orders if (t := np.transpose(other, o) if o else other).shape == array.shape]
    if not fitting:
        return other.reshape(array.shape) if _squeezed(array) == _squeezed(other) else None
    reference = array.astype(np.float64)
    return min(fitting, key=lambda t: float(np.nansum(np.abs(t.astype(np.float64) - reference))))


def _squeezed(array: Array) -> tuple[int, ...]:
    return tuple(d for d in array.shape if d != 1)


def _of_package(path: Path, inputs: dict[str, Array]) -> list[tuple[str, Array]]:
    from edgec.runners.mil import MilRunner

    seen: list[tuple[str, Array]] = []
    with MilRunner(path, "float16", tap=lambda name, value: seen.append((name, np.array(value)))) as runner:
        runner.run(inputs)
    return seen


def _of_tflite(path: Path, inputs: dict[str, Array]) -> list[tuple[str, Array]]:
    from edgec.runners.litert import LiteRTRunner

    with LiteRTRunner(path, keep_values=True) as runner:
        runner.run(inputs)
        return runner.values()


def _of_onnx(path: Path, inputs: dict[str, Array]) -> list[tuple[str, Array]]:
    import onnx_ir as ir

    from edgec.runners.onnxruntime import OnnxRuntimeRunner

    model = ir.load(path)
    made = [v for node in model.graph for v in node.outputs if v.name and v.type is not None]
    outputs = list(model.graph.outputs)
    model.graph.outputs.extend(v for v in made if v not in outputs)
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        results = runner.run(inputs)
    return [(v.name or "", results[v.name or ""]) for v in made]
