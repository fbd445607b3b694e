"""Custom operators, defined in a file of the user: `edgec build net.py:model --extension my_ops.py`.

The file defines what each operator computes, in terms of other operators:

    from edgec.extension import onnx_operator, torch_operator

    @torch_operator("mine::swish")
    def swish(x, beta):
        return x * torch.sigmoid(beta * x)

    @onnx_operator("my.domain", "Swish")
    def swish_of_a_file(op, x, *, beta=1.0):
        return op.Mul(x, op.Sigmoid(op.Mul(x, beta)))

edgec searches the file's attributes for the objects that these decorators return; there is no other registry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TFLiteKernel:
    """A custom operator of TFLite that the app registers under `code`, with the operator's tensors as its inputs.

    `options` is passed to its `Init`: bytes, a table that becomes a FlexBuffer, or a function of the operator's own
    arguments that returns either.
    """

    code: str
    options: bytes | Mapping[str, Any] | Callable[..., Any] = b""


@dataclass(frozen=True)
class TorchOperator:
    """An operator of `torch.library` by its name, `namespace::name` or `namespace::name.overload`.

    `compute` takes the operator's own arguments and returns its results, computed by PyTorch's operators. It is traced
    like a model: control flow must not depend on values. If the operator changes an argument, `compute` must change it
    too. With a `tflite` kernel, TFLite targets call the kernel; `compute` defines its result and runs in its place.
    """

    name: str
    compute: Callable[..., Any]
    tflite: TFLiteKernel | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the operator, like the undecorated function."""
        return self.compute(*args, **kwargs)


@dataclass(frozen=True)
class OnnxOperator:
    """An operator of an ONNX domain.

    `compute(op, *inputs, **attributes)` returns the results (one, or a tuple), built with
    `op.Name(*inputs, **attributes)`: ONNX's own operators at the file's opset (`op.opset`). An input may be a value, a
    number, an array, or None for an omitted input; `op.Split(x, outputs=2, …)` returns a tuple. Attributes are numbers,
    strings, lists and arrays.
    """

    domain: str
    op_type: str
    compute: Callable[..., Any]


@dataclass(frozen=True)
class OnnxFunction:
    """An operator of an ONNX domain, defined by an ONNX function (`onnx.FunctionProto`) of the same domain and name."""

    proto: Any


def torch_operator(name: str, *, tflite: TFLiteKernel | None = None) -> Callable[[Callable[..., Any]], TorchOperator]:
    """Decorates a function that defines the operator `name` (`namespace::name`, or one overload) in PyTorch."""
    return lambda compute: TorchOperator(name, compute, tflite)


def onnx_operator(domain: str, op_type: str) -> Callable[[Callable[..., Any]], OnnxOperator]:
    """Decorates a function that defines an operator of an ONNX domain with ONNX's own operators."""
    return lambda compute: OnnxOperator(domain, op_type, compute)


def onnx_function(function: Any) -> OnnxFunction:
    """An `onnx.FunctionProto`, or an onnxscript function, that defines the operator of its domain and name."""
    return OnnxFunction(function.to_function_proto() if hasattr(function, "to_function_proto") else function)
