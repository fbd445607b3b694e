"""Functions in random networks, each drawing its own options."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.random_networks.network import Draw, Drawn
from tests.random_networks.registry import layer, operator


@operator
def arithmetic(draw: Draw) -> Drawn:
    x = draw.value()
    function: Any = draw.one(
        torch.add, torch.sub, torch.mul, torch.maximum, torch.minimum, torch.atan2, torch.hypot,
        lambda a, b: a / (b.abs() + 0.5), lambda a, b: torch.lerp(a, b, 0.3), lambda a, b: torch.where(a > b, a, b * 2),
        lambda a, b: a * (b > 0), lambda a, b: torch.copysign(a, b), lambda a, b: torch.remainder(a, b.abs() + 1),
    )  # fmt: skip
    return layer(getattr(function, "__name__", "arithmetic"), x, lambda a, b: function(a, b), draw.partner(x))


@operator
def broadcast(draw: Draw) -> Drawn:
    x = draw.value()
    shape = [size if draw.number(0, 1) else 1 for size in x.shape[1:]]
    constant = torch.randn(shape, generator=draw.seeded())
    function: Any = draw.one(torch.add, torch.mul, torch.maximum, torch.sub)
    return layer("broadcast", x, lambda a: function(a, constant))


@operator
def reduce(draw: Draw) -> Drawn:
    x = draw.value((3, 4, 5))
    function: Any = draw.one(torch.mean, torch.sum, torch.amax, torch.amin, torch.logsumexp, torch.std, torch.var)
    axis, keep = draw.axis(x), bool(draw.number(0, 1))
    return layer(f"reduce_{function.__name__}", x, lambda a: function(a, dim=axis, keepdim=keep))


@operator
def norm(draw: Draw) -> Drawn:
    x = draw.value()
    axis, order = draw.axis(x), draw.one(1, 2)
    return layer("normalize", x, lambda a: F.normalize(a, p=order, dim=axis))  # type: ignore[arg-type]


@operator
def running(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    return layer("cumsum", x, lambda a: a.cumsum(axis) / a.shape[axis])


@operator
def reshape(draw: Draw) -> Drawn:
    x = draw.value((3, 4, 5))
    axis = draw.number(1, len(x.shape) - 2)
    return layer("flatten", x, lambda a: a.flatten(axis, axis + 1))


@operator
def unflatten(draw: Draw) -> Drawn:
    x = draw.value((2, 3, 4), lambda v: v.shape[-1] % 2 == 0)
    first = bool(draw.number(0, 1))
    return layer("unflatten", x, lambda a: a.unflatten(-1, (2, -1) if first else (-1, 2)))


@operator
def transpose(draw: Draw) -> Drawn:
    x = draw.value((3, 4, 5))
    order = [0, *(1 + draw.rng.permutation(len(x.shape) - 1)).tolist()]
    return layer("permute", x, lambda a: a.permute(order))


@operator
def cut(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    size = x.shape[axis]
    start = draw.number(0, size - 1)
    end, step = draw.number(start + 1, size), draw.number(1, 2)
    index = (slice(None),) * axis + (slice(start, end, step),)
    return layer("slice", x, lambda a: a[index])


@operator
def join(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    return layer("concat", x, lambda a, b: torch.cat([a, b, a], axis), draw.partner(x))


@operator
def stack(draw: Draw) -> Drawn:
    x = draw.value((2, 3, 4))
    axis = draw.axis(x)
    return layer("stack", x, lambda a, b: torch.stack([a, b], axis), draw.partner(x))


@operator
def split(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    return layer("chunk", x, lambda a: torch.chunk(a, 2, axis)[-1] * 2)


@operator
def moved(draw: Draw) -> Drawn:
    x = draw.value()
    axis, shift = draw.axis(x), draw.number(-2, 2)
    function: Any = draw.one(
        lambda a: a.roll(shift, axis), lambda a: a.flip(axis), lambda a: a.repeat_interleave(2, axis)
    )
    return layer("moved", x, function)


@operator
def gather(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    index = torch.randint(-x.shape[axis], x.shape[axis], (4,), generator=draw.seeded())
    places = (slice(None),) * axis + (index,)
    return layer("index", x, lambda a: a[places])


@operator
def gather_elements(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    index = torch.randint(0, x.shape[axis], x.shape, generator=draw.seeded())
    return layer("gather", x, lambda a: a.gather(axis, index))


@operator
def scatter(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    index = torch.randperm(x.shape[axis], generator=draw.seeded())[: max(1, x.shape[axis] // 2)]
    places = (slice(None),) * axis + (index,)
    if draw.number(0, 1):
        return layer("index_add", x, lambda a, b: a.index_add(axis, index, b[places]), draw.partner(x))
    wide = torch.randint(0, x.shape[axis], x.shape, generator=draw.seeded())
    return layer("scatter_add", x, lambda a, b: a.scatter_add(axis, wide, b), draw.partner(x))


@operator
def assigned(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    places = (slice(None),) * axis + (slice(0, max(1, x.shape[axis] // 2)),)

    def assign(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        changed = a.clone()
        changed[places] = b[places].tanh()
        return changed

    return layer("assigned", x, assign, draw.partner(x))


@operator
def chosen(draw: Draw) -> Drawn:
    x = draw.value()
    axis = draw.axis(x)
    function: Any = draw.one(
        lambda a: a.topk(max(1, a.shape[axis] // 2), axis)[0], lambda a: a.sort(axis)[0], lambda a: a.argmax(axis),
        lambda a: a.masked_fill(a < 0, 0.25), lambda a: a.clamp(-0.5, 1.5), lambda a: torch.nan_to_num(a), torch.tril,
        lambda a: a.max(axis)[0], lambda a: F.one_hot(a.argmax(axis), a.shape[axis]).float(),
        lambda a: a.gather(axis, a.argsort(axis)), lambda a: a.median(axis)[0],
    )  # fmt: skip
    return layer("chosen", x, function)


@operator
def embedded(draw: Draw) -> Drawn:
    x = draw.value((2, 3))
    table = nn.Embedding(9, draw.number(2, 6))
    return layer("embedding", x, Looked(table))


class Looked(nn.Module):
    """Rows of a table at data-dependent positions."""

    def __init__(self, table: nn.Embedding) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.table((x.abs() * 3).clamp(0, 8).long())
        return found


@operator
def windows(draw: Draw) -> Drawn:
    x = draw.value(4)
    kernel, stride = draw.number(2, 3), draw.number(1, 3)
    return layer("unfold", x, lambda a: F.unfold(a, kernel, stride=stride))
