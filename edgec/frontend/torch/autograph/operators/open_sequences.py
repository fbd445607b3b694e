"""Sequences as long as a dynamic dimension: the iterables of loops, and the lists that loops fill."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import torch

from edgec.diag import error
from edgec.frontend.torch.frames import line_of_model


class Elements(ABC):
    """The iterable of a loop over a dynamic dimension. Lengths are queried for each use: inside a loop of the graph
    they are those of the tensors passed to it.
    """

    @abstractmethod
    def extent(self) -> Any:
        """The number of elements."""

    @abstractmethod
    def __getitem__(self, place: Any) -> Any:
        """The element at an index from 0, which is a number or a 0-d tensor."""


class Rows(Elements):
    """The slices of a tensor along one dimension: `x.unbind(dim)`. Python code that is not rewritten and iterates over
    them queries their number, as for a `range`.
    """

    def __init__(self, x: torch.Tensor, dim: int = 0) -> None:
        self._x, self._dim = x, dim

    def extent(self) -> Any:
        """See `Elements`."""
        return self._x.shape[self._dim]

    def __getitem__(self, place: Any) -> torch.Tensor:
        if not isinstance(place, torch.Tensor):
            return self._x.select(self._dim, place)
        return self._x.index_select(self._dim, place.reshape(1)).squeeze(self._dim)

    def __len__(self) -> int:
        return len(range(self.extent()))

    def __iter__(self) -> Iterator[torch.Tensor]:
        for i in range(self.extent()):  # queried when the first element is requested, by the caller
            yield self._x.select(self._dim, i)


class Enumerated(Elements):
    """`enumerate(elements, start)`."""

    def __init__(self, elements: Any, start: Any = 0) -> None:
        self._elements, self._start = elements, start

    def extent(self) -> Any:
        """See `Elements`."""
        return extent(self._elements)

    def __getitem__(self, place: Any) -> tuple[Any, Any]:
        return place + self._start, self._elements[place]


class Zipped(Elements):
    """`zip(a, b, …)`: as many elements as the first has; the others must not have fewer."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def extent(self) -> Any:
        """See `Elements`."""
        first, *others = (extent(part) for part in self._parts)
        return first if all(first == other for other in others) else min(first, *others)

    def __getitem__(self, place: Any) -> tuple[Any, ...]:
        return tuple(part[place] for part in self._parts)


class Backwards(Elements):
    """`reversed(elements)`."""

    def __init__(self, elements: Any) -> None:
        self._elements = elements

    def extent(self) -> Any:
        """See `Elements`."""
        return extent(self._elements)

    def __getitem__(self, place: Any) -> Any:
        return self._elements[self.extent() - 1 - place]


class Counted(Elements):
    """`range(start, stop, step)` inside `enumerate`, `zip` or `reversed`."""

    def __init__(self, start: Any, stop: Any, step: Any) -> None:
        self._start, self._stop, self._step = start, stop, step

    def extent(self) -> Any:
        """See `Elements`."""
        return rounds(self._start, self._stop, self._step)

    def __getitem__(self, place: Any) -> Any:
        return self._start + place * self._step


def extent(elements: Any) -> Any:
    """The number of elements, also of ordinary Python objects."""
    return elements.extent() if isinstance(elements, Elements) else len(elements)


def elements_of(iterable: Any) -> Any:
    """The elements of `iterable`, to be indexed one by one."""
    if isinstance(iterable, Filled):
        return Rows(torch.stack(iterable))
    if isinstance(iterable, torch.Tensor):
        return Rows(iterable)
    return iterable if isinstance(iterable, Elements) else list(iterable)


def rounds(start: Any, stop: Any, step: Any) -> Any:
    """The number of elements of `range(start, stop, step)`, whose arguments may be dynamic sizes."""
    width = stop - start if step > 0 else start - stop
    return (width + abs(step) - 1) // abs(step)


class Growing(list[Any]):
    """A list inside an iteration that appends one element: has the previous elements, and records the new one.

    `last` is the element appended by the previous iteration, `None` if the list was empty before the loop.
    """

    def __init__(self, last: torch.Tensor | None) -> None:
        super().__init__()
        self._last = last
        self.added: list[Any] = []
        self.in_front = False

    def append(self, value: Any) -> None:
        """Append at the end."""
        self.added.append(value)

    def extend(self, values: Any) -> None:
        """Extend at the end."""
        self.added.extend(values)

    def insert(self, index: Any, value: Any) -> None:
        """Insert at the front; other positions are not supported."""
        if index != 0:
            self._unknown()
        self.in_front = True
        self.added.append(value)

    def __iadd__(self, values: Any) -> Growing:
        self.added.extend(values)
        return self

    def __add__(self, values: Any) -> Growing:
        self.added.extend(values)
        return self

    def __getitem__(self, index: Any) -> Any:
        newest = self.added[-1] if self.added else self._last
        if index != -1 or newest is None or self.in_front:
            self._unknown()
        return newest

    def __iter__(self) -> NoReturn:
        self._unknown()

    def __len__(self) -> NoReturn:
        self._unknown()

    def _unknown(self) -> NoReturn:
        raise error(
            "E0202",
            "a loop over an open dimension reads a list while it fills it",
            place=line_of_model(sys._getframe(1)),
            notes=[
                "rejected by `open-list`",
                "only its last element, of a list that has one before the loop, is known",
            ],
            help=["keep what the next round needs in a variable"],
        )


class Filled(list[Any]):
    """A list filled by a loop over a dynamic dimension: `rows` (N, …) are its elements.

    torch's functions of lists inspect the list's contents; they find a tensor that intercepts the function.
    """

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__([_IN_LIST])
        self.rows = rows

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            step = 1 if index.step is None else index.step
            if step == -1 and index.start is None and index.stop is None:
                return Filled(self.rows.flip(0))
            return Filled(self.rows[index])
        return self.rows[index]

    def __len__(self) -> int:
        return len(range(self.rows.shape[0]))

    def __iter__(self) -> Iterator[Any]:
        return iter(Rows(self.rows))

    def __reversed__(self) -> Iterator[Any]:
        return iter(Rows(self.rows.flip(0)))

    def reverse(self) -> None:
        """Reverse in place."""
        self.rows = self.rows.flip(0)

    def _changed(self, *_: Any) -> NoReturn:
        _refuse("is changed")

    append = extend = insert = remove = pop = __add__ = __iadd__ = __mul__ = __setitem__ = _changed


class _InList(torch.Tensor):
    """The only content of a `Filled` list, which intercepts torch's functions."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for every function."""
        if getattr(function, "__name__", "") != "__get__":
            _refuse(f"is given to `{getattr(function, '__name__', function)}`")
        return super().__torch_function__(function, types, args, kwargs or {})  # type: ignore[no-untyped-call]


_IN_LIST = torch.empty(0).as_subclass(_InList)


def _refuse(what: str) -> NoReturn:
    raise error(
        "E0202",
        f"a list that a loop over an open dimension has filled {what}",
        place=line_of_model(sys._getframe(1)),
        notes=["rejected by `open-list`"],
        help=["make one tensor of it by `torch.stack` or `torch.cat`"],
    )


def stack(tensors: Any, dim: int = 0) -> torch.Tensor:
    """`torch.stack`."""
    if not isinstance(tensors, Filled):
        return torch.stack(tensors, dim)
    return tensors.rows.movedim(0, dim)


def cat(tensors: Any, dim: int = 0) -> torch.Tensor:
    """`torch.cat`, for elements of equal size along the dimension."""
    if not isinstance(tensors, Filled):
        return torch.cat(tensors, dim)
    dim = dim % (tensors.rows.dim() - 1)
    return tensors.rows.movedim(0, dim).flatten(dim, dim + 1)


def unbind(x: torch.Tensor, dim: int = 0) -> Sequence[torch.Tensor] | Rows:
    """`torch.unbind`; along a dynamic dimension the result can only be used by a loop."""
    return Rows(x, dim) if isinstance(x.shape[dim], torch.SymInt) else torch.unbind(x, dim)
