"""Decompositions of operators on complex numbers into operators on real and imaginary parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgec.frontend.torch.decompositions.pointwise import angle

aten = torch.ops.aten


@dataclass(frozen=True, eq=False)
class Parts:
    """A complex tensor as its real and imaginary parts; while a graph is rewritten, their nodes."""

    real: Any
    imag: Any


Real = Tensor | int | float | bool
"""A number or a tensor of numbers."""


def _parts(x: Any) -> tuple[Any, Any]:
    """The real and imaginary parts; the imaginary part of a real number is None."""
    if isinstance(x, Parts | complex):
        return x.real, x.imag
    return x, None


def _filled(x: Any) -> tuple[Any, Any]:
    """The real and imaginary parts; the imaginary part of a real number is zero."""
    real, imag = _parts(x)
    if imag is not None:
        return real, imag
    return real, torch.zeros_like(real) if isinstance(real, Tensor) else 0


def _whole(real: Any, imag: Any) -> Parts:
    """Parts of equal shape and element type."""
    shape: Any = torch.broadcast_shapes(real.shape, imag.shape)  # type: ignore[no-untyped-call]
    return Parts(*(part if part.shape == shape else part.expand(shape) for part in (real, imag)))


def _add(a: Any, b: Any, *, alpha: Any = 1) -> Parts:
    (ar, ai), (br, bi) = _parts(a), _parts(_multiply(b, alpha) if alpha != 1 else b)
    imag = ai if bi is None else bi if ai is None else ai + bi
    return _whole(ar + br, imag)


def _subtract(a: Any, b: Any, alpha: Any = 1) -> Parts:
    return _add(a, _multiply(b, alpha) if alpha != 1 else b) if alpha == -1 else _add(a, _multiply(b, -alpha))


def _multiply(a: Any, b: Any) -> Any:
    """(a + ib)(c + id) = ac − bd + i(ad + bc)."""
    return _bilinear(lambda x, y: x * y)(a, b)


def _bilinear(product: Callable[..., Any]) -> Callable[..., Any]:
    """Any bilinear product of two operands."""

    def form(a: Any, b: Any, *rest: Any, **more: Any) -> Any:
        (ar, ai), (br, bi) = _parts(a), _parts(b)
        if ai is None and bi is None:
            return product(ar, br, *rest, **more)
        real = product(ar, br, *rest, **more)
        if ai is None or bi is None:
            imag = product(ar, bi, *rest, **more) if ai is None else product(ai, br, *rest, **more)
            return Parts(real, imag)
        real = real - product(ai, bi, *rest, **more)
        return Parts(real, product(ar, bi, *rest, **more) + product(ai, br, *rest, **more))

    return form


def _divide(a: Any, b: Any) -> Any:
    """a b* / |b|²."""
    br, bi = _parts(b)
    if bi is None:
        ar, ai = _filled(a)
        return Parts(ar / br, ai / br)
    size = br * br + bi * bi
    return _multiply(a, Parts(br / size, -bi / size))


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    found = _bilinear(torch.nn.functional.linear)(x, weight)
    return found if bias is None else _add(found, bias)


def _with_bias(product: Callable[..., Any]) -> Callable[..., Any]:
    """A convolution: `product(x, weight, None, …)` and a bias for each channel."""

    def form(x: Any, weight: Any, bias: Any = None, *rest: Any, **more: Any) -> Any:
        found = _bilinear(lambda a, b: product(a, b, None, *rest, **more))(x, weight)
        if bias is None:
            return found
        shape = (1, -1) + (1,) * (found.real.dim() - 2)
        return _add(found, _by_parts(lambda b: b.reshape(shape))(bias))

    return form


def _sum_of_product(equation: str, operands: Any, **_: Any) -> Any:
    """With any number of operands: a product of parts is multiplied by i to the number of its imaginary factors."""
    sums: list[Any] = [0, 0, 0, 0]
    for chosen in itertools.product((0, 1), repeat=len(operands)):
        parts = [_parts(x)[which] for x, which in zip(operands, chosen, strict=True)]
        if all(part is not None for part in parts):
            power = sum(chosen) % 4
            sums[power] = torch.einsum(equation, *parts) + sums[power]
    return Parts(sums[0] - sums[2], sums[1] - sums[3])


def _added_product(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    return _add(_multiply(x, beta), _multiply(_bilinear(torch.matmul)(a, b), alpha))


def _exponential(x: Parts) -> Parts:
    """e^a (cos b + i sin b)."""
    size = torch.exp(x.real)
    return Parts(size * torch.cos(x.imag), size * torch.sin(x.imag))


def _size(x: Parts) -> Tensor:
    return torch.sqrt(x.real * x.real + x.imag * x.imag)


def _angle(x: Parts) -> Tensor:
    return angle(x.imag, x.real)


def _polar(size: Tensor, angle: Tensor) -> Parts:
    return Parts(size * torch.cos(angle), size * torch.sin(angle))


def _logarithm(x: Parts) -> Parts:
    return Parts(torch.log(_size(x)), _angle(x))


def _direction(x: Parts) -> Parts:
    """x / |x|; zero for zero."""
    size = _size(x)
    size = torch.where(size == 0, torch.ones_like(size), size)
    return Parts(x.real / size, x.imag / size)


def _square_root(x: Parts) -> Parts:
    """√((|x| + a) / 2) + i sign(b) √((|x| − a) / 2)."""
    size = _size(x)
    imag = torch.sqrt(torch.clamp((size - x.real) / 2, min=0))
    return Parts(torch.sqrt(torch.clamp((size + x.real) / 2, min=0)), torch.where(x.imag < 0, -imag, imag))


def _power(x: Any, exponent: Any) -> Any:
    """Repeated products; by the logarithm if the exponent is not a small integer."""
    if isinstance(exponent, int) and 1 <= exponent <= 16:
        found = x
        for _ in range(exponent - 1):
            found = _multiply(found, x)
        return found
    if isinstance(x, Parts) and isinstance(exponent, int | float):
        return _polar(torch.pow(_size(x), exponent), _angle(x) * exponent)
    base = x if isinstance(x, Parts) else Parts(*_filled(x if isinstance(x, Tensor) else _like(exponent, x)))
    return _exponential(_multiply(_logarithm(base), exponent))


def _like(x: Parts, number: Any) -> Any:
    return Parts(*(torch.full_like(x.real, part) for part in _filled(number)))


def _sine(x: Parts) -> Parts:
    return Parts(torch.sin(x.real) * torch.cosh(x.imag), torch.cos(x.real) * torch.sinh(x.imag))


def _cosine(x: Parts) -> Parts:
    return Parts(torch.cos(x.real) * torch.cosh(x.imag), -torch.sin(x.real) * torch.sinh(x.imag))


def _hyperbolic_tangent(x: Parts) -> Parts:
    """(sinh 2a + i sin 2b) / (cosh 2a + cos 2b), computed from tanh a, which does not overflow."""
    t, c, s = torch.tanh(x.real), torch.cos(x.imag), torch.sin(x.imag)
    size = c * c + t * t * s * s
    return Parts(t / size, s * c * (-(t * t) + 1) / size)


def _refilled(x: Any, value: Any) -> Parts:
    return Parts(*(torch.zeros_like(_parts(x)[0]) + part for part in _filled(value)))


def _equal(a: Any, b: Any) -> Tensor:
    (ar, ai), (br, bi) = _filled(a), _filled(b)
    return torch.logical_and(ar == br, ai == bi)


def _either(test: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda x: torch.logical_or(test(x.real), test(x.imag))


def _by_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Operators that move, repeat, select or sum elements, applied to each part; real operands get a zero part."""

    def form(*args: Any, **kwargs: Any) -> Any:
        leaves, spec = pytree.tree_flatten((args, kwargs))
        pairs = [_parts(leaf) if isinstance(leaf, Parts | complex) else (leaf, leaf) for leaf in leaves]
        found = []
        for i in (0, 1):
            given, named = pytree.tree_unflatten([pair[i] for pair in pairs], spec)
            found.append(function(*given, **named))
        if isinstance(found[0], Tensor):
            return Parts(*found)
        return [Parts(*pair) for pair in zip(*found, strict=True)]

    return form


def _promoted(function: Callable[..., Any], *places: int) -> Callable[..., Any]:
    """`_by_parts`, where the operands at `places` are values that may be real (or lists of values)."""

    def form(*args: Any, **kwargs: Any) -> Any:
        given = [
            pytree.tree_map(lambda x: Parts(*_filled(x)), arg) if place in places else arg
            for place, arg in enumerate(args)
        ]
        return _by_parts(function)(*given, **kwargs)

    return form


_PART_TYPES = {torch.complex32: torch.float16, torch.complex64: torch.float32, torch.complex128: torch.float64}


def _converted(x: Any, *args: Any, **kwargs: Any) -> Any:
    """Conversion of a real or complex tensor to a real or complex element type."""
    dtype = next((a for a in (*args, *kwargs.values()) if isinstance(a, torch.dtype)), None)
    real, imag = _filled(x)
    if dtype is None:
        return Parts(real.clone(), imag.clone())
    part = _PART_TYPES.get(dtype)
    return _cast(real, dtype) if part is None else Parts(_cast(real, part), _cast(imag, part))


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    cast: Tensor = x if x.dtype == dtype else aten._to_copy(x, dtype=dtype)
    return cast


def _made(function: Callable[..., Any], *value: int) -> Callable[..., Any]:
    """A tensor filled with one number: the argument at index `value`, or a real constant."""

    def form(*args: Any, dtype: Any = None, **kwargs: Any) -> Any:
        kwargs["dtype"] = _PART_TYPES.get(dtype, dtype) or torch.float32
        first = list(args)
        if isinstance(first[0], Parts):
            kwargs["dtype"] = first[0].real.dtype if dtype is None else kwargs["dtype"]
            first[0] = first[0].real
        if dtype is not None and not dtype.is_complex:
            return function(*first, **kwargs)
        parts = []
        for i in (0, 1):
            given = list(first)
            for place in value:
                given[place] = _filled(args[place])[i]
            parts.append(function(*given, **kwargs))
        if not value:
            parts[1] = torch.zeros_like(parts[1])
        return Parts(*parts)

    return form


_MOVES = (
    "view reshape _unsafe_view permute transpose t numpy_T mT expand repeat unsqueeze squeeze flatten "
    "unflatten select slice narrow index index_select gather flip roll split split_with_sizes chunk "
    "unbind movedim diagonal tril triu tile unfold repeat_interleave swapaxes clone contiguous detach "
    "alias lift_fresh_copy sum mean cumsum neg constant_pad_nd pad view_copy select_copy slice_copy "
    "expand_copy permute_copy transpose_copy rot90 unsqueeze_copy squeeze_copy split_copy "
    "split_with_sizes_copy unbind_copy diagonal_copy take_along_dim tensor_split trace diff broadcast_to"
).split()

_OPERATORS: dict[str, Callable[..., Any]] = {
    **{name: _by_parts(getattr(aten, name)) for name in _MOVES},
    "add": _add,
    "sub": _subtract,
    "rsub": lambda a, b, alpha=1: _subtract(b, a, alpha),
    "mul": _multiply,
    "div": _divide,
    "reciprocal": lambda x: _divide(1.0, x),
    "square": lambda x: _multiply(x, x),
    "_conj": lambda x: Parts(x.real, -x.imag),
    "_conj_physical": lambda x: Parts(x.real, -x.imag),
    "conj_physical": lambda x: Parts(x.real, -x.imag),
    "mH": lambda x: Parts(x.real.mT, -x.imag.mT),
    "adjoint": lambda x: Parts(x.real.mT, -x.imag.mT),
    "resolve_conj": lambda x: x,
    "resolve_neg": lambda x: x,
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "view_as_real": lambda x: torch.stack([x.real, x.imag], -1),
    "view_as_real_copy": lambda x: torch.stack([x.real, x.imag], -1),
    "view_as_complex": lambda x: Parts(x.select(-1, 0), x.select(-1, 1)),
    "view_as_complex_copy": lambda x: Parts(x.select(-1, 0), x.select(-1, 1)),
    "complex": _whole,
    "polar": _polar,
    "abs": _size,
    "angle": _angle,
    "sgn": _direction,
    "exp": _exponential,
    "log": _logarithm,
    "sqrt": _square_root,
    "pow": _power,
    "sin": _sine,
    "cos": _cosine,
    "tanh": _hyperbolic_tangent,
    "matmul": _bilinear(torch.matmul),
    "mm": _bilinear(torch.matmul),
    "bmm": _bilinear(torch.matmul),
    "mv": _bilinear(torch.matmul),
    "dot": _bilinear(torch.matmul),
    "outer": _bilinear(torch.outer),
    "linear": _linear,
    "addmm": _added_product,
    "baddbmm": _added_product,
    "einsum": _sum_of_product,
    "conv1d": _with_bias(torch.nn.functional.conv1d),
    "conv2d": _with_bias(torch.nn.functional.conv2d),
    "conv3d": _with_bias(torch.nn.functional.conv3d),
    "convolution": _with_bias(aten.convolution),
    "cat": _promoted(torch.cat, 0),
    "stack": _promoted(torch.stack, 0),
    "where": _promoted(torch.where, 1, 2),
    "masked_fill": _promoted(torch.masked_fill, 0, 2),
    "index_put": _promoted(torch.index_put, 0, 2),
    "index_add": _promoted(torch.index_add, 0, 3),
    "index_copy": _promoted(torch.index_copy, 0, 3),
    "slice_scatter": _promoted(torch.slice_scatter, 0, 1),
    "select_scatter": _promoted(torch.select_scatter, 0, 1),
    "scatter": _promoted(torch.scatter, 0, 3),
    "scatter_add": _promoted(torch.scatter_add, 0, 3),
    "fill": _refilled,
    "copy": _promoted(aten.copy, 0, 1),
    "eq": _equal,
    "ne": lambda a, b: torch.logical_not(_equal(a, b)),
    "isnan": _either(torch.isnan),
    "isinf": _either(torch.isinf),
    "to": _converted,
    "_to_copy": _converted,
    "zeros": _made(torch.zeros),
    "ones": _made(torch.ones),
    "full": _made(torch.full, 1),
    "scalar_tensor": _made(torch.scalar_tensor, 0),
    "zeros_like": _made(torch.zeros_like),
    "ones_like": _made(torch.ones_like),
    "full_like": _made(torch.full_like, 1),
    "new_zeros": _made(aten.new_zeros),
    "new_ones": _made(aten.new_ones),
    "new_full": _made(aten.new_full, 2),
    "empty": _made(lambda *a, memory_format=None, **k: torch.zeros(*a, **k)),
    "empty_like": _made(lambda *a, memory_format=None, **k: torch.zeros_like(*a, **k)),
}

COMPLEX_DECOMPOSITIONS: dict[str, Callable[..., Any]] = {
    f"aten.{name}": decomposition for name, decomposition in _OPERATORS.items()
}
"""By operator name without the overload. Complex operands and results are `Parts`."""
