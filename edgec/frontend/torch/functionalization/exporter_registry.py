"""The exporter's registry of operator translations: complete, or restricted to some operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import torch
from onnxscript.function_libs.torch_lib import ops as _every_translation  # noqa: F401 (fills the registry)
from onnxscript.function_libs.torch_lib.registration import default_registry
from torch.onnx._internal.exporter._registration import OnnxDecompMeta, ONNXRegistry, _get_overload
from torch.onnx._internal.exporter._torchlib._torchlib_registry import get_torchlib_ops

from edgec.ir.model import OPSET


def registry_for(operators: Set[Any]) -> ONNXRegistry:
    """The exporter's registry, restricted to these operators."""
    own = [found for found in get_torchlib_ops() if found.fx_target in operators]
    return _filled([*own, *_from_onnxscript({_name(operator): operator for operator in operators})])


def full_registry() -> ONNXRegistry:
    """The exporter's registry, without the source code of every translation, which is slow to read and unused."""
    operators = {name: _get_overload(name) for name, _ in default_registry.items() if not name.startswith("internal::")}
    return _filled([*get_torchlib_ops(), *_from_onnxscript(operators)])


def _filled(translations: Sequence[OnnxDecompMeta]) -> ONNXRegistry:
    registry = ONNXRegistry()
    registry._opset_version = OPSET
    for translation in translations:
        registry._register(translation.fx_target, translation)
    registry._cleanup_registry_based_on_opset_version()
    return registry


def _from_onnxscript(operators: Mapping[str, Any]) -> Iterator[OnnxDecompMeta]:
    """onnxscript's translations by operator name; None for operators that this version of torch does not have."""
    for name, found in default_registry.items():
        operator = operators.get(name)
        if operator is not None:
            for functions, is_complex in ((found.overloads, False), (found.complex, True)):
                for function in functions:
                    yield OnnxDecompMeta(function, operator, signature=None, is_complex=is_complex)


def _name(operator: Any) -> str:
    """The name under which onnxscript registers translations: `aten::add.Tensor`, `_operator::getitem`."""
    if isinstance(operator, torch._ops.OpOverload):
        return str(operator.name())  # type: ignore[no-untyped-call]
    return f"{operator.__module__}::{operator.__name__}"
