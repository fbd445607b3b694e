"""Speculative execution of both sides of a branch: the side that is not taken has no effect."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.nn.functional as functional

from edgec.diag import EdgecError, error
from edgec.frontend.torch.autograph.operators.safe_operands import with_safe_operands
from edgec.frontend.torch.autograph.operators.select import Site, select_tensors
from edgec.frontend.torch.overrides.function_mode import Function, FunctionMode, tensors_among

_WITH_IN_PLACE = frozenset(
    function
    for function in vars(functional).values()
    if inspect.isfunction(function) and "inplace" in inspect.signature(function).parameters
)
"""Functions of torch with an argument that makes them work in place."""

_IN_PLACE_DUNDERS = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__ipow__"}


class Speculation(FunctionMode):
    """Active while one side of a branch is traced. `taken` is a value of the graph: whether that side is taken.

    Both sides are computed and one is selected, so NaN and infinity on the other side are discarded by the selection.
    Operations that could *fail* there get safe operands: indices are clamped into range, and integer divisors of zero
    replaced by one. A side that is taken is not changed by this, since it would have raised. A loop, which might not
    terminate, runs no iterations on the side not taken. Writes to tensors from outside, through any view, take effect
    only if the side is taken. If the side is the `whole` rest of the model, traced separately, these tensors are not
    restored, since nothing reads them afterwards.
    """

    _open: ClassVar[list[Speculation]] = []
    _in_loop: ClassVar[bool] = False

    def __init__(self, site: Site, taken: torch.Tensor, *, whole: bool = False) -> None:
        super().__init__()
        self._site, self._taken, self._whole = site, taken, whole
        self._own: dict[int, torch.Tensor] = {}  # an id is unique only during its object's lifetime
        self._before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __enter__(self) -> Speculation:
        self._open.append(self)
        super().__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)
        self._open.pop()
        for written, before in self._before.values():
            written.copy_(before if failure[0] else select_tensors(self._taken, written.clone(), before))

    @classmethod
    def taken(cls) -> torch.Tensor | None:
        """Whether all sides being traced are taken; None outside of branches."""
        conditions = [guard._taken for guard in cls._open]
        return functools.reduce(torch.logical_and, conditions) if conditions else None

    @classmethod
    def nested(cls) -> bool:
        """Whether this is inside a side that ends before the model does, or inside a loop of the graph."""
        return cls._in_loop or not all(guard._whole for guard in cls._open)

    @classmethod
    @contextmanager
    def outside(cls) -> Iterator[None]:
        """For the body of a loop of the graph, which is executed only if the loop is."""
        around, cls._open = cls._open, []
        before, cls._in_loop = cls._in_loop, True
        try:
            yield
        finally:
            cls._open, cls._in_loop = around, before

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `FunctionMode`."""
        outside: list[tuple[torch.Tensor, int]] = []
        if not self._whole:
            for target in _written(function, args, kwargs):
                self._keep(_root(target))
            outside = [(t, _version(t)) for t in tensors_among(*args, *kwargs.values()) if not self._watched(_root(t))]
        args, kwargs = with_safe_operands(function, args, kwargs)
        result = function(*args, **kwargs)
        if any(_version(t) != version for t, version in outside):
            raise self._refused()
        self._own.update({id(t): t for t in tensors_among(result) if id(t) not in self._before})
        return result

    def _keep(self, root: torch.Tensor) -> None:
        """Record the value of a tensor from outside before it is written to."""
        if not self._watched(root):
            self._before[id(root)] = (root, root.clone())

    def _watched(self, root: torch.Tensor) -> bool:
        """Whether the side may write to it: it was created there, or its previous value is recorded."""
        return id(root) in self._own or id(root) in self._before

    def _refused(self) -> EdgecError:
        return error(
            "E0206",
            f"a side of this `{self._site.kind}` changes a tensor in place that lives outside the function",
            place=self._site.place,
            help=["compute the new value and assign it instead"],
        )


def _root(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor whose memory this one is a view of."""
    with torch._C.DisableTorchFunction():  # else every guard around this one is asked, each by all around it
        return tensor._base if tensor._is_view() and tensor._base is not None else tensor


def _version(tensor: torch.Tensor) -> int:
    with torch._C.DisableTorchFunction():
        return tensor._version


def _written(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that a function changes in place, according to its name, its `out` or its `inplace`."""
    name = getattr(function, "__name__", "").split(".")[0]
    found = tensors_among(kwargs.get("out"))
    named = name in _IN_PLACE_DUNDERS or (name.endswith("_") and not name.endswith("__") and name != "requires_grad_")
    if args and (named or _in_place(function, args, kwargs)):
        found += tensors_among(args[0])
    return found


def _in_place(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether it is called with `inplace=True`, as in `functional.relu(x, inplace=True)`."""
    if function not in _WITH_IN_PLACE:
        return False
    given = inspect.signature(function).bind(*args, **kwargs).arguments
    return bool(given.get("inplace", False))
