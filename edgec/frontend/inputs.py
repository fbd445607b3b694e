"""Example inputs from `--input NAME=SHAPE[:DTYPE]`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgec.diag import error

Array = NDArray[np.generic]

LARGEST_INPUT = 1 << 30
"""Elements of an input beyond which a request is taken for a slip, and a file for broken."""

_DTYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
_SPEC = re.compile(r"(?P<name>[^=]+)=(?P<shape>[0-9x,]*)(?::(?P<dtype>\w+))?")


@dataclass(frozen=True)
class InputSpec:
    """What `--input` says of one input: its name, static shape and element type."""

    name: str
    shape: tuple[int, ...]
    dtype: str

    @staticmethod
    def parse(text: str) -> InputSpec:
        """Parse `NAME=SHAPE[:DTYPE]`, the shape as `1x3x224x224` or `1,3,224,224`. Raises `EdgecError` E0101."""
        found = _SPEC.fullmatch(text.strip())
        dtype = (found["dtype"] or "float32") if found else ""
        if found is None:
            raise error(
                "E0101", f"`--input {text}` is not NAME=SHAPE[:DTYPE]", help=["write `--input x=1x3x224x224:float32`"]
            )
        if dtype not in _DTYPES:
            raise error("E0101", f"`{dtype}` is not an element type", help=[f"one of {', '.join(_DTYPES)}"])
        shape = tuple(int(d) for d in re.split("[x,]", found["shape"]) if d)
        if math.prod(max(d, 1) for d in shape) > LARGEST_INPUT:
            raise error("E0101", f"`--input {text}` is larger than any input", notes=[f"{LARGEST_INPUT} elements"])
        return InputSpec(found["name"].strip(), shape, dtype)

    def sample(self, rng: np.random.Generator) -> Array:
        """Standard normal floats; integers 0 or 1, which index any table; random booleans."""
        if self.dtype.startswith("float"):
            return rng.standard_normal(self.shape).astype(self.dtype)
        return rng.integers(0, 2, self.shape).astype(self.dtype)


def check_once(specs: Sequence[InputSpec]) -> None:
    """Raises `EdgecError` E0107 where two specs are of one input."""
    names = [spec.name for spec in specs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise error("E0107", f"input `{twice[0]}` is given twice")


def match_specs(names: Sequence[str], specs: Sequence[InputSpec]) -> list[InputSpec]:
    """The specs in the order of the model's inputs. Raises `EdgecError` E0107 naming what is missing or unknown."""
    check_once(specs)
    by_name = {spec.name: spec for spec in specs}
    if unknown := [name for name in by_name if name not in names]:
        raise error("E0107", f"the model has no input `{unknown[0]}`", notes=[f"its inputs are {', '.join(names)}"])
    if missing := [name for name in names if name not in by_name]:
        raise error(
            "E0107",
            f"no example for input `{missing[0]}`",
            help=[f"add `--input {name}=SHAPE`" for name in missing],
        )
    return [by_name[name] for name in names]
