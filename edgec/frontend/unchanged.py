"""Evaluates and exports a user's module without modifying it."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from edgec.frontend.torch.overrides.compiled_modules import uncompiled
from edgec.frontend.torch.precision.half import in_halves


@contextmanager
def unchanged(model: Any, *, replaces_weights: bool = False) -> Iterator[Any]:
    """The model in evaluation mode; an exported program is returned as it is.

    A copy is used if the weights would be replaced (`replaces_weights`, half precision). Otherwise it is the module
    itself, since closures and hooks may refer to parts of it; afterwards its modes, parameters, buffers, hooks and
    attributes are restored, whatever its `forward` did, and so are the random states of torch, numpy and Python.
    """
    model = uncompiled(model)
    with _same_random_states():
        if not isinstance(model, nn.Module):
            yield model
            return
        if replaces_weights or in_halves(model):
            yield copy.deepcopy(model).eval()
            return
        kept = [_Kept(part) for part in model.modules()]
        try:
            yield model.eval()
        finally:
            for part in kept:
                part.restore()


class _Kept:
    """One module's attributes, the contents of those that are containers, and its tensors' values."""

    def __init__(self, part: nn.Module) -> None:
        self._part, self._own = part, dict(vars(part))
        self._contents = {name: copy.copy(v) for name, v in self._own.items() if isinstance(v, dict | list | set)}
        held = (*self._own.values(), *part._parameters.values(), *part._buffers.values())
        tensors = [t for t in held if isinstance(t, torch.Tensor) and t.layout is torch.strided]
        with torch.no_grad():
            self._tensors = [(t, t.detach().clone(), t.requires_grad, t.grad) for t in tensors]

    def restore(self) -> None:
        """Restore everything."""
        for name, content in self._contents.items():
            value = self._own[name]
            value.clear()
            value.extend(content) if isinstance(value, list) else value.update(content)
        vars(self._part).clear()
        vars(self._part).update(self._own)
        with torch.no_grad():
            for tensor, value, needs_grad, grad in self._tensors:
                if not torch.equal(tensor, value):
                    tensor.copy_(value)
                if tensor.is_leaf and tensor.requires_grad != needs_grad:
                    tensor.requires_grad_(needs_grad)
                tensor.grad = grad


@contextmanager
def _same_random_states() -> Iterator[None]:
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
