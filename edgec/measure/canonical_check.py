"""Checks the canonical graph against the source on every sample, before any target uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from edgec.diag import Diagnostic, EdgecError, error
from edgec.ir.model import Model
from edgec.measure.accuracy import UNLIKE, Judgement, judged
from edgec.measure.rounding import SourceRounding
from edgec.measure.samples import Sample
from edgec.passes.verify import evaluate
from edgec.runners.base import Array
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Accept

CANONICAL_REL = 1e-5
CANONICAL_ACCEPT = Accept(max_rel=CANONICAL_REL)
"""Accepted error of the canonical graph against the source (DESIGN §8)."""


def check_canonical(
    model: Model, samples: Sequence[Sample], rounding: SourceRounding, accept: Accept = CANONICAL_ACCEPT
) -> tuple[Diagnostic, ...]:
    """Warnings (E0611) about inputs that strain the model and on which the graph's outputs differ from the source's.

    Raises `EdgecError` E0205 if they differ on other inputs by more than the source's own rounding.
    """
    seen: list[Judgement] = []
    for outputs in _outputs_by_engine(model, samples):
        seen.append(judged(samples, outputs, accept, rounding))
        if not seen[-1].failures and not seen[-1].strained:
            return ()
    right = [s.strained for s in seen if not s.failures]
    if not right:
        raise _differs(min(seen, key=lambda s: s.fidelity.max_rel))
    return tuple(replace(d, message=f"the graph: {d.message}") for d in min(right, key=len))


def _outputs_by_engine(model: Model, samples: Sequence[Sample]) -> Iterator[list[dict[str, Array]]]:
    """Outputs by ONNX Runtime, optimized and not, and for small models by onnx's slow reference implementation.

    Each is wrong now and then: ONNX Runtime's optimizations (on BiT's weights, for one), its kernels near zero, and
    onnx's reference, which uses the first group's bias for all groups of a transposed convolution.
    """
    yield _canonical_outputs(model, samples)
    yield _canonical_outputs(model, samples, optimize=False)
    if _is_small(model):
        with contextlib.suppress(Exception):  # the reference raises whatever numpy does
            yield _reference_outputs(model, samples)


def _differs(seen: Judgement) -> EdgecError:
    unlike = [d for d in seen.failures if d.message.startswith(UNLIKE)]
    if unlike == list(seen.failures):
        return error(
            "E0205",
            "the exported graph differs from the source on inputs unlike the example",
            notes=[line for d in unlike for line in (d.message, *d.notes)],
            help=["both agree on the example: for such inputs an operator of the graph differs from PyTorch's"],
        )
    fidelity = seen.fidelity
    return error(
        "E0205",
        f"the exported graph differs from the source by {fidelity.max_rel:.3g} relative",
        notes=[
            f"worst element: output `{fidelity.worst_output}` at index {list(fidelity.worst_index)}",
            f"largest absolute error {fidelity.max_abs:.3g}",
        ],
        help=["a model that draws random numbers or is still in training mode cannot be verified"],
    )


_SMALL = 100_000
"""Elements of a graph's values, weights included, up to which onnx's slow reference implementation is used as well."""


def _is_small(model: Model) -> bool:
    values = [*model.graph.initializers.values(), *(v for node in model.graph for v in node.outputs)]
    shapes = [v.shape for v in values if v.shape is not None and v.shape.is_static()]
    return len(shapes) == len(values) and sum(prod(s.numpy()) for s in shapes) <= _SMALL


def _reference_outputs(model: Model, samples: Sequence[Sample]) -> list[dict[str, Array]]:
    names = [v.name or "" for v in model.graph.outputs]
    return [dict(zip(names, evaluate(model, s.inputs), strict=True)) for s in samples]


def _canonical_outputs(model: Model, samples: Sequence[Sample], *, optimize: bool = True) -> list[dict[str, Array]]:
    """By ONNX Runtime, or by onnx's slow reference if that lacks a kernel. Raises `EdgecError` E0202 if both fail."""
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
                place=refused.diagnostics[0].place,
                notes=[*refused.diagnostics[0].notes[:1], "rejected by `graph-does-not-run`"],
                help=["`--verify` shows whether a rewrite broke it; otherwise the exporter's ONNX is invalid"],
            ) from failure
