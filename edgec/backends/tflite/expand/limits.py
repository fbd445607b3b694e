"""The limits of an element type."""

from __future__ import annotations

from typing import Any

import numpy as np


def limits(dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """The smallest and the largest finite value of a float or integer type, as scalars of that type."""
    found: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return dtype.type(found.min), dtype.type(found.max)
