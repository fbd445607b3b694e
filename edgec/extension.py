"""Operators of the user's own, in a file of the user's own: `edgec build net.py:model --extension my_ops.py`.

The file says of each operator what it computes, in terms of others:

    from edgec.extension import onnx_operator, torch_operator

    @torch_operator("mine::swish")
    def swish(x, beta):
        return x * torch.sigmoid(beta * x)

    @onnx_operator("my.domain", "Swish")
    def swish_of_a_file(op, x, *, beta=1.0):
        return op.Mul(x, op.Sigmoid(op.Mul(x, beta)))

edgec looks for what these decorators return among the file's attributes; nothing is registered anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TFLiteKernel:
    """A custom operator of TFLite that the app registers under `code`, with the operator's tensors as its inputs.

    `options` is what its `Init` is given: bytes, or a table that becomes a FlexBuffer, or a function that makes either
    of the operator's own arguments.
    """

    code: str
    options: bytes | Mapping[str, Any] | Callable[..., Any] = b""


@dataclass(frozen=True)
class TorchOperator:
    """An operator of `torch.library` by its name, `namespace::name` or `namespace::name.overload`.

    `compute` takes the operator's own arguments and gives its results, computed by PyTorch's operators. It is traced,
    as a model is: no decision on values. Where the operator changes an argument, `compute` changes it too. With a
    `tflite` kernel, TFLite targets call that; `compute` says what it computes, and is what is run here in its place.
    """

    name: str
    compute: Callable[..., Any]
    tflite: TFLiteKernel | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute it, as the plain function does."""
        return self.compute(*args, **kwargs)


@dataclass(frozen=True)
class OnnxOperator:
    """An operator of an ONNX domain.

    `compute(op, *inputs, **attributes)` gives the results (one, or a tuple), made by `op.Name(*inputs, **attributes)`:
    ONNX's own operators at the file's opset (`op.opset`). An input may be a value, a number, an array, or None for one
    that is left out; `op.Split(x, outputs=2, …)` gives a tuple. Attributes come as numbers, text, lists and arrays.
    """

    domain: str
    op_type: str
    compute: Callable[..., Any]


@dataclass(frozen=True)
class OnnxFunction:
    """An operator of an ONNX domain as an ONNX function (`onnx.FunctionProto`), of its own domain and name."""

    proto: Any


def torch_operator(name: str, *, tflite: TFLiteKernel | None = None) -> Callable[[Callable[..., Any]], TorchOperator]:
    """Decorates what computes the operator `name` (`namespace::name`, or one overload of it) in PyTorch's terms."""
    return lambda compute: TorchOperator(name, compute, tflite)


def onnx_operator(domain: str, op_type: str) -> Callable[[Callable[..., Any]], OnnxOperator]:
    """Decorates what computes an operator of an ONNX domain in terms of ONNX's own."""
    return lambda compute: OnnxOperator(domain, op_type, compute)


def onnx_function(function: Any) -> OnnxFunction:
    """An `onnx.FunctionProto`, or a function of onnxscript, that says what the operator of its domain and name does."""
    return OnnxFunction(function.to_function_proto() if hasattr(function, "to_function_proto") else function)
