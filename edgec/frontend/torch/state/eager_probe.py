"""Probes a module's state by calling it eagerly with its example and with other inputs."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType

import torch

from edgec.diag import EdgecError, Place
from edgec.frontend.torch.call import Call, run_eagerly
from edgec.frontend.torch.state.baked_constants import Computed
from edgec.frontend.torch.state.line import (
    line_of_change,
    line_that_differs,
    line_that_names,
    line_that_stores,
    line_that_writes,
)
from edgec.frontend.torch.state.locations import Place as Kept
from edgec.frontend.torch.state.memory import Memory
from edgec.frontend.torch.state.probe import Lines, Probe

_SEED = 5


@dataclass
class Calls:
    """The call with the example, number 0, and another call, number 1, for which the source does not fail."""

    module: torch.nn.Module
    example: Call
    codes: Set[CodeType]
    memory: Memory
    _runs: list[Call] = field(default_factory=list)

    def run(self, i: int) -> list[torch.Tensor]:
        """The outputs of one call. State that the module keeps is not restored."""
        return run_eagerly(self.module, self.inputs_of(i)).outputs

    def inputs_of(self, i: int) -> Call:
        """The inputs of the call with that number."""
        return self.example if i == 0 else self._other

    @cached_property
    def _other(self) -> Call:
        for strange in (2, 1):
            call = self.example.with_tensors([_other(t, strange) for t in self.example.tensors()])
            try:
                with self.memory.fresh():
                    run_eagerly(self.module, call)
            except EdgecError:
                continue
            return call
        return self.example

    def line(self, place: Kept) -> Place | None:
        """The line that changes a location: found by running the example, otherwise by name."""
        with self.memory.fresh():
            found = line_of_change(place, self.codes, lambda: self.run(0))
        return found or line_that_names(place, self.codes)

    def line_of_write(self, tensor: torch.Tensor) -> Place | None:
        """The line that writes to a tensor."""
        with self.memory.fresh():
            return line_that_writes(tensor, self.codes, lambda: self.run(0))

    def line_of_difference(self) -> Place | None:
        """The line after which a second run on the example first differs from the first one."""

        def run(i: int = 0) -> None:
            with self.memory.fresh():
                self.run(i)

        run(1)
        return line_that_differs(self.codes, run) or line_that_stores(self.codes)


def probe_of(module: torch.nn.Module, example: Call, codes: Set[CodeType], memory: Memory, first: Computed) -> Probe:
    """The probe that classifies the module's state; `codes` are the user's functions that it calls, `first` the values
    computed by the first call.
    """
    calls = Calls(module, example, codes, memory)
    lines = Lines(calls.line, calls.line_of_write, calls.line_of_difference)
    return Probe(module, memory, first, calls.run, lambda i: calls.inputs_of(i).tensors(), lines)


def _other(tensor: torch.Tensor, strange: int) -> torch.Tensor:
    """Other values of the same shape and type. Less `strange` is closer: integers stay in the example's range."""
    generator = torch.Generator().manual_seed(_SEED)
    if tensor.dtype == torch.bool:
        return torch.rand(tensor.shape, generator=generator) < 0.5 if strange > 1 else tensor
    if tensor.is_floating_point():
        noise = torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        return tensor * 0.75 + noise * (tensor.abs().mean() * 0.25 + 0.1) if tensor.numel() else tensor
    if tensor.is_complex() or not tensor.numel():
        return tensor
    low, high = int(tensor.min()), int(tensor.max())
    low = min(low, 0) if strange > 1 else low
    return torch.randint(low, high + 1, tensor.shape, generator=generator).to(tensor.dtype)
