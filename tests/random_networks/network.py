"""A random network, whose layers take the results of earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

Function = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Value:
    """The result of a layer: its position among the values, its shape, and whether it contains floats."""

    index: int
    shape: tuple[int, ...]
    floating: bool


@dataclass(frozen=True)
class Drawn:
    """A layer drawn by an operator: its operands, its computation (modules have weights), and its name."""

    name: str
    taken: tuple[Value, ...]
    function: Function


class Draw:
    """The source of draws for operators: random numbers, and existing values, later ones more often."""

    def __init__(self, rng: np.random.Generator, values: Sequence[Value]) -> None:
        self.rng, self._values = rng, values

    def one(self, *items: object) -> object:
        """One of several items."""
        return items[int(self.rng.integers(len(items)))]

    def number(self, low: int, high: int) -> int:
        """An integer from low to high, both inclusive."""
        return int(self.rng.integers(low, high + 1))

    def axis(self, value: Value, first: int = 1) -> int:
        """An axis other than the batch's."""
        return self.number(first, len(value.shape) - 1)

    def value(self, rank: int | Sequence[int] = (2, 3, 4, 5), fits: Callable[[Value], bool] = lambda _: True) -> Value:
        """A float value with one of these ranks. Raises LookupError if there is none."""
        ranks = (rank,) if isinstance(rank, int) else rank
        found = [v for v in self._values if v.floating and len(v.shape) in ranks and fits(v)]
        if not found:
            raise LookupError
        weights = np.arange(1, len(found) + 1) ** 2.0
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def partner(self, value: Value) -> Value:
        """Another value of the same shape, or the same one."""
        return self.value(len(value.shape), lambda v: v.shape == value.shape)

    def seeded(self) -> torch.Generator:
        """A seeded generator for the layer's constants."""
        return torch.Generator().manual_seed(int(self.rng.integers(2**31)))


class Layer(nn.Module):
    """One operator of a network."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__()
        self.taken = tuple(v.index for v in drawn.taken)
        self.compute = drawn.function


class Network(nn.Module):
    """Layers in order; the outputs are the values that no layer uses."""

    def __init__(self, layers: Sequence[Layer], inputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        used = {i for layer in layers for i in layer.taken}
        self.shown = [i for i in range(inputs, inputs + len(layers)) if i not in used]

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = list(inputs)
        for layer in self.layers:
            values.append(layer.compute(*[values[i] for i in layer.taken]))
        return tuple(values[i] for i in self.shown)


@dataclass(frozen=True)
class Subject:
    """A network with its example, and the names of its operators in order."""

    seed: int
    network: Network
    example: tuple[torch.Tensor, ...]
    operators: tuple[str, ...]

    def others(self, count: int = 2) -> list[tuple[torch.Tensor, ...]]:
        """Inputs other than the example, some larger, some smaller."""
        g = torch.Generator().manual_seed(self.seed + 1)
        return [tuple(torch.randn(x.shape, generator=g) * s for x in self.example) for s in (0.5, 1.5, 1.0)[:count]]


SHAPES = ((1, 6, 12, 12), (1, 4, 9, 14), (2, 3, 16, 8), (1, 7, 12), (2, 5, 8), (1, 12), (3, 8), (1, 2, 4, 6, 6))
_LARGEST = 20_000
"""Largest number of elements of a value, which keeps networks small."""


def random_network(seed: int, operators: dict[str, Callable[[Draw], Drawn]], largest: int = 12) -> Subject:
    """The network for a seed. An operator that fits no value, fails, or makes too large a value is drawn again."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    shapes = [SHAPES[int(rng.integers(len(SHAPES)))] for _ in range(int(rng.integers(1, 3)))]
    example = tuple(torch.randn(shape) for shape in shapes)
    arrays = list(example)
    values = [Value(i, shape, True) for i, shape in enumerate(shapes)]
    layers: list[Layer] = []
    names: list[str] = []
    wanted, names_of_all = int(rng.integers(3, largest + 1)), list(operators)
    while len(layers) < wanted:
        drawn = _drawn(Draw(rng, values), operators[names_of_all[int(rng.integers(len(operators)))]], arrays)
        if drawn is not None:
            layer, array = drawn
            values.append(Value(len(values), tuple(array.shape), array.is_floating_point()))
            arrays.append(array)
            layers.append(Layer(layer).eval())
            names.append(layer.name)
    return Subject(seed, Network(layers, len(example)).eval(), example, tuple(names))


def _drawn(
    draw: Draw, operator: Callable[[Draw], Drawn], arrays: Sequence[torch.Tensor]
) -> tuple[Drawn, torch.Tensor] | None:
    try:
        layer = operator(draw)
        if isinstance(layer.function, nn.Module):
            layer.function.eval()
        with torch.no_grad():
            array = layer.function(*[arrays[v.index] for v in layer.taken])
    except (LookupError, RuntimeError, ValueError, IndexError):
        return None
    sane = array.numel() > 0 and array.dim() > 0 and bool(torch.isfinite(array.float()).all())
    return (layer, array) if sane and array.numel() <= _LARGEST and float(array.float().abs().max()) < 1e3 else None
