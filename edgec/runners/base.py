"""What every way of executing an artifact has in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.generic]


class Runner(Protocol):
    """Executes one artifact that was loaded from disk. A context manager: leaving it frees the artifact.

    `name` is what the manifest records as `accuracy.runner`.
    """

    name: str

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, in the artifact's order.

        Raises `EdgecError` E0602 when the artifact fails to run and E0107 when an input does not fit.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StatefulRunner(Runner, Protocol):
    """A runner of an artifact that keeps states from one run to the next, apart from its inputs and outputs."""

    def state_values(self) -> dict[str, Array]:
        """What each state holds, by its name."""
        ...

    def set_states(self, values: Mapping[str, Array]) -> None:
        """Give states new values. Raises `EdgecError` E0107 for an unknown name or another shape."""
        ...
