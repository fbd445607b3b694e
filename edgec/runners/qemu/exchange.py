"""Named arrays in a file, for the exchange with the emulated process; names may contain any characters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgec.runners.base import Array


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an `.npz` whose first array contains the names of the others."""
    np.savez(path, np.asarray(list(arrays), dtype=np.str_), *arrays.values())


def load_saved(path: Path) -> dict[str, Array]:
    """Read what `save_arrays` wrote, in the same order."""
    with np.load(path) as file:
        return {str(name): file[f"arr_{i + 1}"] for i, name in enumerate(file["arr_0"])}
