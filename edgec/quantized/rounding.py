"""How far one float32 rounding moves the outputs of a model that quantizes what it computes."""

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
"""What float32 operations in another order, with other kernels for exp or erf, may be off by, relative (DESIGN §8)."""

_DRAWS = 4
"""How many times each sample is run with other signs of that rounding."""

_TIMES = 2.0
"""How many times the largest difference of those runs another right order of operations may show."""

_LARGEST_REL, _LEAST_PSNR_DB = 0.05, 30.0
"""However far rounding carries: a model that it moves by more than this is refused for what the target asks."""

_NOISE_DB = 3.0
"""The same for the signal-to-noise ratio: twice the power of the noise."""


def quantizes(model: Model) -> bool:
    """Whether the graph quantizes values that it computes, not just weights."""
    return any(_is_quantizer(node) for node in model.graph)


def rounding_of(model: Model, samples: Sequence[Sample]) -> Fidelity | None:
    """How far the model lies from itself where what it quantizes is off by a rounding. None: it does not quantize.

    Raises `EdgecError` E0602 where ONNX Runtime does not run it.
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
    """What to accept of a model that a rounding moves as far as that (ADR 0007); without one, what is asked for."""
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
    """The model with what it quantizes multiplied by one more or less a rounding."""
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
