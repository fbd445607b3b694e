"""A user's own operators for which a backend has a kernel: calls of functions whose bodies define what they compute.

The calls are kept for the backend that has the kernel; for all others the bodies are inlined.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import onnx_ir as ir

from edgec.ir.model import Model, all_nodes

OWN = "edgec.own"
"""The domain of these functions."""

_KEY = "edgec.kernel"
"""Metadata key of a call: its operator and its kernel."""


@dataclass(frozen=True)
class Kernel:
    """A kernel: the backend that has it, the name under which the runtime finds it, and the options passed to it."""

    backend: str
    code: str
    options: bytes = b""


def as_metadata(operator: str, kernel: Kernel) -> dict[str, str]:
    """The metadata of a call: its operator and its kernel."""
    options = base64.b64encode(kernel.options).decode()
    return {
        _KEY: json.dumps({"operator": operator, "backend": kernel.backend, "code": kernel.code, "options": options})
    }


def kernel_of(node: ir.Node) -> tuple[str, Kernel] | None:
    """The operator and kernel of such a call; None for other nodes."""
    text = node.metadata_props.get(_KEY) if node.domain == OWN else None
    if text is None:
        return None
    said: Mapping[str, str] = json.loads(text)
    options = base64.b64decode(said["options"])
    return said["operator"], Kernel(said["backend"], said["code"], options)


def operators_with_kernels(model: Model, backend: str) -> list[str]:
    """The user's operators in a model for which the backend has a kernel, without duplicates."""
    found = [kernel_of(node) for node in all_nodes(model)]
    return list(dict.fromkeys(operator for operator, kernel in filter(None, found) if kernel.backend == backend))


def has_calls(model: Model) -> bool:
    """Whether the model calls functions that some backend has a kernel for."""
    return any(key[0] == OWN for key in model.functions)


def with_calls(model: Model) -> Model:
    """A copy in which the calls have no bodies, so that they are not inlined."""
    kept = model.clone()
    for key in [key for key in kept.functions if key[0] == OWN]:
        del kept.functions[key]
    return kept


def with_bodies(model: Model, bodies: Model) -> Model:
    """A copy in which the calls have the bodies defined in another model."""
    whole = model.clone()
    for key, function in bodies.clone().functions.items():
        if key[0] == OWN:
            whole.functions[key] = function
            whole.opset_imports.setdefault(OWN, 1)
    return whole
