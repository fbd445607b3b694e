"""Scripted and traced modules inside an ordinary module, which torch's exporter does not support directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from edgec.frontend.torch.autograph.operators.control_flow import Runtime
from edgec.frontend.torch.torchscript.interpreter import ScriptGraph


@contextmanager
def scripts_as_graphs(module: torch.nn.Module, runtime: Runtime) -> Iterator[None]:
    """While active, each scripted submodule runs node by node, with branches handled by `runtime`."""
    replaced: list[tuple[torch.nn.Module, str, torch.nn.Module]] = []
    for parent in list(module.modules()):
        if isinstance(parent, torch.jit.ScriptModule):
            continue
        for name, child in list(parent.named_children()):
            if isinstance(child, torch.jit.ScriptModule):
                graph = ScriptGraph(child)
                graph.runtime = runtime
                parent._modules[name] = graph
                replaced.append((parent, name, child))
    try:
        yield
    finally:
        for parent, name, child in replaced:
            parent._modules[name] = child
