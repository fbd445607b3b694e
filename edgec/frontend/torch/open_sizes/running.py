"""The sizes at which the source itself runs: the full ranges, or multiples of a number.

Models that halve feature maps and join them again, or divide them into windows, fail at other sizes. This is determined
before tracing, by running a copy of the module.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from edgec.diag import EdgecError, Place
from edgec.frontend.dynamic import DynamicDim, listed
from edgec.frontend.torch.call import Call, example_call, run_eagerly
from edgec.frontend.torch.open_sizes.dynamic_shapes import at_sizes, call_sizes, roomy
from edgec.frontend.torch.open_sizes.narrowing import Narrowed, in_multiples, sizes_of
from edgec.frontend.torch.open_sizes.paths import comparable
from edgec.frontend.torch.precision.half import in_single, widen
from edgec.frontend.torch.request import ExportRequest

_FACTORS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 112, 128)

_DRAWN = 6
"""The number of combinations of sizes at which the source is run, besides the bounds."""

Row = dict[str, int]


def sizes_that_run(request: ExportRequest) -> Narrowed:
    """The dimensions as the smallest multiples at which the source runs; unchanged if no multiples help."""
    asked = Narrowed(request.dynamic, {})
    source = _Source.of(request)
    if source is None or all(d.choices for d in request.dynamic):
        return asked
    rows = list(_rows(request.dynamic, source.given))
    failures = [failure for row in rows if (failure := source.failure(row)) is not None]
    if 2 * len(failures) < len(rows):
        return asked
    for factor in _FACTORS:
        dims = [_multiplied(d, factor) for d in request.dynamic]
        if source.runs(dims):
            return _needed(source, request.dynamic, dims, failures[0].diagnostics[0].place)
    return asked


@dataclass(frozen=True)
class _Source:
    """A copy of the module, which is run at various sizes. `given`: the example's sizes."""

    request: ExportRequest
    module: torch.nn.Module
    call: Call
    given: Row

    @staticmethod
    def of(request: ExportRequest) -> _Source | None:
        """None if the module cannot be copied."""
        try:
            module = copy.deepcopy(request.module)
        except Exception:  # anything that the module's own components raise
            return None
        given = example_call(module, request.inputs, request.specs, request.source.ref)
        widen(module, given.tensors())
        call = given.with_tensors([in_single(t) for t in given.tensors()])
        sizes = call_sizes(roomy(call, request), request)
        return _Source(request, module, call, sizes)

    def failure(self, row: Row) -> EdgecError | None:
        """The error that it raises at these sizes, if any."""
        try:
            run_eagerly(self.module, at_sizes(self.call, self.request, row))
        except EdgecError as refused:
            return refused
        return None

    def runs(self, dims: Sequence[DynamicDim]) -> bool:
        """Whether it runs at sizes drawn from these ranges."""
        return all(self.failure(row) is None for row in _rows(dims, self.given))


def _needed(source: _Source, asked: Sequence[DynamicDim], found: Sequence[DynamicDim], place: Place | None) -> Narrowed:
    """Multiples only for those dimensions that need them."""
    kept = list(found)
    for name in dict.fromkeys(d.name for d in asked):
        freed = [a if a.name == name else k for a, k in zip(asked, kept, strict=True)]
        if freed != kept and source.runs(freed):
            kept = freed
    narrower = {k.name: k for a, k in zip(asked, kept, strict=True) if a.multiple != k.multiple}
    return Narrowed(tuple(kept), {name: in_multiples(dim, place) for name, dim in narrower.items()})


def _multiplied(dim: DynamicDim, factor: int) -> DynamicDim:
    """The dimension restricted to multiples of the factor, if it allows at least two."""
    wider = replace(dim, multiple=math.lcm(dim.multiple, factor))
    return dim if dim.choices or wider.largest <= wider.least else wider


def _rows(dims: Sequence[DynamicDim], given: Row) -> Iterator[Row]:
    """The bounds, and some sizes between; the largest are omitted if they are far above the example's."""
    sizes = {d.name: [s for s in sizes_of(d) if comparable({d.name: s}, given)] for d in dims if not d.choices}
    sizes = {name: of for name, of in sizes.items() if of}
    draw = random.Random(0)
    together = listed(dims) or [{}]
    ends = [{name: of[end] for name, of in sizes.items()} for end in (0, -1)]
    drawn = [{name: draw.choice(of) for name, of in sizes.items()} for _ in range(_DRAWN)]
    for i, row in enumerate([*ends, *drawn]):
        yield {**row, **together[i % len(together)]}
