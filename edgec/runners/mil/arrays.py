"""The array type of the interpreter's arithmetic: any element type, checked at run time by the program's types."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
