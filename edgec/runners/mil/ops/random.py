"""Random numbers. A seed makes a run repeatable; the stream is numpy's, not Core ML's."""

from __future__ import annotations

import numpy as np

from edgec.runners.mil.arrays import Array
from edgec.runners.mil.ops.arguments import integer, integers
from edgec.runners.mil.ops.table import Context, Op, Table


def _generator(context: Context, seed: Array | int) -> np.random.Generator:
    value = integer(seed)
    return context.random if value < 0 else np.random.default_rng(value)


def _bernoulli(context: Context, shape: Array, prob: Array | float = 0.5, seed: Array | int = -1) -> Array:
    return (_generator(context, seed).random(integers(shape)) < prob).astype(np.float32)


def _categorical(
    context: Context, x: Array, mode: str = "logits", size: Array | int = 1, seed: Array | int = -1
) -> Array:
    """Samples with replacement; the last dimension becomes `size`."""
    if mode == "logits":
        weights = np.exp(x - x.max(-1, keepdims=True))
    elif mode == "probs":
        weights = x
    else:
        raise ValueError(f"random_categorical mode `{mode}`")
    cumulative = np.cumsum(weights / weights.sum(-1, keepdims=True), -1, dtype=np.float64)
    draws = _generator(context, seed).random((*x.shape[:-1], integer(size)))
    index = (draws[..., None] >= cumulative[..., None, :]).sum(-1)
    result: Array = np.minimum(index, x.shape[-1] - 1)
    return result


def _normal(
    context: Context, shape: Array, mean: Array | float = 0.0, stddev: Array | float = 1.0, seed: Array | int = -1
) -> Array:
    return mean + stddev * _generator(context, seed).standard_normal(integers(shape), np.float32)


def _uniform(
    context: Context, shape: Array, low: Array | float = 0.0, high: Array | float = 1.0, seed: Array | int = -1
) -> Array:
    return low + (high - low) * _generator(context, seed).random(integers(shape), np.float32)


OPS: Table = {
    "random_bernoulli": Op(_bernoulli, context=True),
    "random_categorical": Op(_categorical, context=True),
    "random_normal": Op(_normal, context=True),
    "random_uniform": Op(_uniform, context=True),
}
