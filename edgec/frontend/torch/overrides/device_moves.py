"""Modules that convert their children in `forward`, such as `self.head = self.head.to(self.dtype)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from edgec.frontend.torch.patches import patched


@contextmanager
def moved_nowhere() -> Iterator[None]:
    """While active, moving a module to its own device and type does nothing.

    `nn.Module.to` would swap the parameters (torch 2.13), which fails while they are part of a trace.
    """
    plain = nn.Module.to

    def to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        device, dtype, _, layout = torch._C._nn._parse_to(*args, **kwargs)
        tensors = [*module.parameters(), *module.buffers()]
        stays = layout is None and all(_is_there(tensor, device, dtype) for tensor in tensors)
        return module if stays else plain(module, *args, **kwargs)

    with patched() as patches:
        patches.replace("torch.nn.Module.to", to)
        yield


def _is_there(tensor: torch.Tensor, device: torch.device | None, dtype: torch.dtype | None) -> bool:
    converted = dtype is not None and (tensor.is_floating_point() or tensor.is_complex())
    return (device is None or tensor.device == device) and (not converted or tensor.dtype == dtype)
