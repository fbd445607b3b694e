"""The interface of runners, which execute artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Runner(Protocol):
    """Executes one artifact loaded from disk. A context manager: leaving it releases the artifact.

    `name` is what the manifest records as `accuracy.runner`.
    """

    name: str

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, in the artifact's order.

        Raises `EdgecError` E0602 if the artifact fails to run, E0107 if an input does not fit.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StatefulRunner(Runner, Protocol):
    """A runner of an artifact that keeps states between runs, besides its inputs and outputs."""

    def state_values(self) -> dict[str, Array]:
        """The current value of each state, by name."""
        ...

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Set states. Raises `EdgecError` E0107 for an unknown name or another shape."""
        ...
