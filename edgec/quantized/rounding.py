"""The effect of one float32 rounding on the outputs of a quantized model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from edgec.ir.model import Model, constant
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.measure.samples import Sample
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Accept

_ROUNDING = 1e-5
"""Relative error of float32 operations in another order, or with other kernels for exp or erf (DESIGN §8)."""

_DRAWS = 4
"""The number of runs of each sample with different signs of that rounding."""

_TIMES = 2.0
"""Factor of the largest difference in those runs that another valid order of operations may show."""

_LARGEST_REL, _LEAST_PSNR_DB = 0.05, 30.0
"""The widest tolerance that rounding justifies: a model that it moves further fails the target's accuracy."""

_NOISE_DB = 3.0
"""The factor for the signal-to-noise ratio in dB: twice the noise power."""


def quantizes(model: Model) -> bool:
    """Whether the graph quantizes values that it computes, not just weights."""
    return any(_is_quantizer(node) for node in model.graph)


def rounding_of(model: Model, samples: Sequence[Sample]) -> Fidelity | None:
    """The difference of the model to itself when what it quantizes is perturbed by a rounding; None if not quantized.

    Raises `EdgecError` E0602 if ONNX Runtime fails on it.
    """
    if not quantizes(model):
        return None
    with OnnxRuntimeRunner(model, optimize=False) as runner:
        exact = [runner.run(s.inputs) for s in samples]
    found = []
    for seed in range(_DRAWS):
        with OnnxRuntimeRunner(_rounded(model, seed), optimize=False) as runner:
            found += [d for s, e in zip(samples, exact, strict=True) for d in compare_all(e, runner.run(s.inputs))]
    return summarize(len(samples), found)


def excused(accept: Accept, rounding: Fidelity | None) -> Accept:
    """The tolerance for a model with this effect of rounding (ADR 0007); `accept` itself without one."""
    if rounding is None:
        return accept
    rel, psnr = accept.max_rel, accept.min_psnr_db
    if rel is not None:
        rel = max(rel, min(_TIMES * rounding.max_rel, _LARGEST_REL))
    if psnr is not None:
        psnr = min(psnr, max(rounding.psnr_db - _NOISE_DB, _LEAST_PSNR_DB))
    return replace(accept, max_rel=rel, min_psnr_db=psnr)


def _is_quantizer(node: ir.Node) -> bool:
    value = node.inputs[0] if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") else None
    return value is not None and constant(value) is None


def _rounded(model: Model, seed: int) -> Model:
    """The model with its values multiplied by 1 plus or minus a rounding before they are quantized."""
    moved, signs = model.clone(), np.random.default_rng(seed)
    for i, node in enumerate(n for n in list(moved.graph) if _is_quantizer(n)):
        x = node.inputs[0]
        assert x is not None
        assert x.dtype is not None
        factor = ir.Tensor(np.asarray(1 + _ROUNDING * signs.choice((-1, 1)), x.dtype.numpy()), name=f"rounding.{i}")
        value = ir.Value(name=factor.name, const_value=factor, shape=ir.Shape(()), type=ir.TensorType(x.dtype))
        moved.graph.register_initializer(value)
        product = ir.Node("", "Mul", [x, value], name=f"rounded.{i}")
        out = product.outputs[0]
        out.name, out.shape, out.type = f"rounded.{i}", x.shape, x.type
        moved.graph.insert_before(node, product)
        node.replace_input_with(0, out)
    return moved
