"""Operators on complex numbers that the exporter knows for real ones alone, by their real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from edgec.frontend.decompose.base import Decomposition


def _is_complex(x: Any, *rest: Any, **more: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_complex()


def _cut(cut: Callable[..., Any]) -> Decomposition:
    """What cuts a dimension into pieces cuts pairs of parts: these follow in a dimension behind all others."""

    def compute(x: torch.Tensor, argument: Any, dim: int = 0) -> Any:
        pieces = cut(torch.view_as_real(x), argument, dim % x.dim())
        return [torch.view_as_complex(piece) for piece in pieces]

    return Decomposition(compute, _is_complex)


def _unsqueeze(x: torch.Tensor, dim: int) -> torch.Tensor:
    place = dim if dim >= 0 else dim + x.dim() + 1
    return torch.view_as_complex(torch.view_as_real(x).unsqueeze(place))


def _select(x: torch.Tensor, dim: int, index: int) -> torch.Tensor:
    return torch.view_as_complex(torch.view_as_real(x).select(dim % x.dim(), index))


def _expand(x: torch.Tensor, sizes: Any, *, implicit: bool = False) -> torch.Tensor:
    return torch.view_as_complex(torch.view_as_real(x).expand(*sizes, 2).contiguous())


def _pad(x: torch.Tensor, pad: Any, mode: str = "constant", value: Any = None) -> torch.Tensor:
    parts = [torch.nn.functional.pad(part, pad, mode, value if i == 0 else None) for i, part in enumerate(_parts(x))]
    return torch.complex(parts[0], parts[1])


def _parts(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = torch.view_as_real(x)
    return pairs[..., 0], pairs[..., 1]


def _exponential(x: torch.Tensor) -> torch.Tensor:
    """e^a (cos b + i sin b)."""
    real, imaginary = _parts(x)
    size = torch.exp(real)
    return torch.complex(size * torch.cos(imaginary), size * torch.sin(imaginary))


def _power(x: torch.Tensor, exponent: Any) -> torch.Tensor:
    """Repeated products; by size and angle where the exponent is no small whole number."""
    if isinstance(exponent, int) and 1 <= exponent <= 16:
        found = x
        for _ in range(exponent - 1):
            found = found * x
        return found
    size, angle = torch.pow(torch.abs(x), exponent), torch.angle(x) * exponent
    return torch.complex(size * torch.cos(angle), size * torch.sin(angle))


def _has_real_exponent(x: torch.Tensor, exponent: Any) -> bool:
    return x.is_complex() and isinstance(exponent, int | float)


def _chosen(condition: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    pairs = torch.where(condition.unsqueeze(-1), torch.view_as_real(x), torch.view_as_real(y))
    return torch.view_as_complex(pairs)


def _both_complex(condition: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> bool:
    return x.is_complex() and y.is_complex()


def _einsum(equation: str, operands: Any, **_: Any) -> torch.Tensor:
    """Of two operands: (a + ib)(c + id) = ac − bd + i(ad + bc)."""
    parts = [_parts(x) if x.is_complex() else (x, None) for x in operands]
    if len(parts) == 1:
        a, b = parts[0]
        return torch.complex(torch.einsum(equation, a), torch.einsum(equation, b))
    (a, b), (c, d) = parts
    real, imaginary = torch.einsum(equation, a, c), None
    if b is not None and d is not None:
        real = real - torch.einsum(equation, b, d)
    for left, right in ((a, d), (b, c)):
        if left is not None and right is not None:
            product = torch.einsum(equation, left, right)
            imaginary = product if imaginary is None else imaginary + product
    assert imaginary is not None
    return torch.complex(real, imaginary)


def _few_complex(equation: str, operands: Any, **_: Any) -> bool:
    return len(operands) <= 2 and any(x.is_complex() for x in operands)


COMPLEX: dict[str, Decomposition] = {
    "aten.unsqueeze.default": Decomposition(_unsqueeze, _is_complex),
    "aten.expand.default": Decomposition(_expand, _is_complex),
    "aten.select.int": Decomposition(_select, _is_complex),
    "aten.split.Tensor": _cut(torch.split),
    "aten.split_with_sizes.default": _cut(torch.split_with_sizes),
    "aten.chunk.default": _cut(torch.chunk),
    "aten.pad.default": Decomposition(_pad, _is_complex),
    "aten.constant_pad_nd.default": Decomposition(lambda x, pad, value=0: _pad(x, pad, "constant", value), _is_complex),
    "aten.exp.default": Decomposition(_exponential, _is_complex),
    "aten.pow.Tensor_Scalar": Decomposition(_power, _has_real_exponent),
    "aten.where.self": Decomposition(_chosen, _both_complex),
    "aten.einsum.default": Decomposition(_einsum, _few_complex),
}
