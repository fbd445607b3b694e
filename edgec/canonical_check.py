"""The canonical graph against the source: the same outputs on every sample, before any target sees the graph."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from math import prod

from edgec.diag import EdgecError, error
from edgec.frontend.captured import Reference
from edgec.ir.model import Model
from edgec.measure.accuracy import Sample, judge
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.passes.verify import evaluate
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Accept

CANONICAL_REL = 1e-5
CANONICAL_ACCEPT = Accept(max_rel=CANONICAL_REL)
"""What the canonical graph must show against the source (DESIGN §8)."""


def check_canonical(
    model: Model, samples: Sequence[Sample], source: Reference, accept: Accept = CANONICAL_ACCEPT
) -> None:
    """Raises `EdgecError` E0205 where the graph's outputs are not the source's, but for rounding."""
    fidelity = _closest(model, samples, accept)
    if judge(fidelity, accept) and judge(fidelity, _with_rounding(samples, source)):
        raise error(
            "E0205",
            f"the exported graph differs from the source by {fidelity.max_rel:.3g} relative",
            notes=[
                f"worst element: output `{fidelity.worst_output}` at index {list(fidelity.worst_index)}",
                f"largest absolute error {fidelity.max_abs:.3g}",
            ],
            help=["a model that draws random numbers or is still in training mode cannot be verified"],
        )


def _closest(model: Model, samples: Sequence[Sample], accept: Accept) -> Fidelity:
    """How far the graph is off by the first way of running it that is within `accept`, or by the best of them: each is
    wrong now and then. ONNX Runtime's own rewriting is (BiT's weights, for one), its kernels are loose near zero, and
    onnx's reference gives all groups of a transposed convolution the first one's bias.
    """
    found: list[Fidelity] = []
    for run in (_canonical_outputs, _as_written):
        found.append(_fidelity(samples, run(model, samples)))
        if not judge(found[-1], accept):
            return found[-1]
    if _is_small(model):
        with contextlib.suppress(Exception):  # the reference raises whatever numpy does
            found.append(_fidelity(samples, _reference_outputs(model, samples)))
    return min(found, key=lambda f: f.max_rel)


def _as_written(model: Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    return _canonical_outputs(model, samples, optimize=False)


def _with_rounding(samples: Sequence[Sample], source: Reference) -> Accept:
    """What to accept of a source whose own rounding is larger: sampling at column 900, say, has three digits less."""
    precise = [source.precise(s.inputs) for s in samples]
    exact = [Sample(s.inputs, p) for s, p in zip(samples, precise, strict=True) if p is not None]
    if len(exact) < len(samples):
        return CANONICAL_ACCEPT
    rounding = _fidelity(exact, [s.expected for s in samples]).max_rel
    return Accept(max_rel=max(CANONICAL_REL, min(_ROUNDINGS * rounding, _LARGEST_REL)))


_ROUNDINGS = 4.0
"""How many times the source's own rounding another order of the same operations may show."""

_LARGEST_REL = 1e-4
"""However far the source rounds: a graph that is further off would miss a float32 target's accuracy anyway."""


def _fidelity(samples: Sequence[Sample], found: Sequence[dict[str, Array]]) -> Fidelity:
    differences = [d for s, f in zip(samples, found, strict=True) for d in compare_all(s.expected, f)]
    return summarize(len(samples), differences)


_SMALL = 100_000
"""Elements of a graph's values, weights included, up to which onnx's slow reference may be asked as well."""


def _is_small(model: Model) -> bool:
    values = [*model.graph.initializers.values(), *(v for node in model.graph for v in node.outputs)]
    shapes = [v.shape for v in values if v.shape is not None and v.shape.is_static()]
    return len(shapes) == len(values) and sum(prod(s.numpy()) for s in shapes) <= _SMALL


def _reference_outputs(model: Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    names = [v.name or "" for v in model.graph.outputs]
    return [dict(zip(names, evaluate(model, s.inputs), strict=True)) for s in samples]


def _canonical_outputs(model: Model, samples: Sequence[Sample], *, optimize: bool = True) -> list[dict[str, Array]]:
    """By ONNX Runtime, or by onnx's slow reference where that lacks a kernel. Raises `EdgecError` E0202."""
    try:
        with OnnxRuntimeRunner(model, optimize=optimize) as runner:
            return [runner.run(s.inputs) for s in samples]
    except EdgecError as refused:
        try:
            return _reference_outputs(model, samples)
        except Exception as failure:  # the reference raises whatever numpy does
            raise error(
                "E0202",
                "the exported graph cannot be run",
                notes=[*refused.diagnostics[0].notes[:1], "rejected by `graph-does-not-run`"],
                help=["`--verify` says whether a rewrite broke it; otherwise the exporter's ONNX is not valid"],
            ) from failure
