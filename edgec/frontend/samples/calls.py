"""Further samples for a module in memory: more arguments of its `forward`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.utils import _pytree as pytree

from edgec.diag import error
from edgec.frontend.imported import Array, ImportedModel
from edgec.frontend.samples.additional import known_of
from edgec.frontend.samples.files import fitted
from edgec.ir.states import states


def with_call_samples(imported: ImportedModel, example: Any, samples: Sequence[Any]) -> ImportedModel:
    """The imported module with further samples, each like the example: a tuple of arguments or a dict of keywords.

    Raises `EdgecError` E0107 if a sample has other tensors than the example.
    """
    held = {state.input for state in states(imported.model)}
    names = [name for name in imported.examples if name not in held]
    rows = [_row(imported, names, example, sample, i) for i, sample in enumerate(samples, 1)]
    return replace(imported, extra_samples=(*imported.extra_samples, *rows))


def _row(imported: ImportedModel, names: Sequence[str], example: Any, sample: Any, index: int) -> dict[str, Array]:
    if isinstance(example, dict) and isinstance(sample, dict) and sample.keys() == example.keys():
        sample = {key: sample[key] for key in example}
    arrays = [leaf.detach().cpu().numpy() for leaf in pytree.tree_leaves(sample) if isinstance(leaf, torch.Tensor)]
    if len(arrays) != len(names):
        raise error("E0107", f"sample {index} has {len(arrays)} tensors, the example has {len(names)}")
    row = {}
    for name, array in zip(names, arrays, strict=True):
        known = known_of(imported, name)
        if not known.takes(array.shape):
            raise error("E0107", f"sample {index} of input `{name}` is {list(array.shape)}, the example is {known}")
        row[name] = fitted(array, known.dtype or "float32", f"sample {index} of input `{name}`")
    return {**imported.examples, **row}
