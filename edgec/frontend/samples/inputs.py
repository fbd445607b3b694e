"""Example inputs from `--input`: a shape, a value or files, combined with what the source declares about the input."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgec.diag import EdgecError, Place, error
from edgec.frontend.samples.files import Pixels, fitted, matching, names_in, read_samples
from edgec.spec.ranges import InputRange

Array = NDArray[np.generic]

LARGEST_INPUT = 1 << 30
"""The largest number of elements of an input; larger requests are taken for mistakes, larger files for corrupt ones."""

_DTYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
_SPEC = re.compile(r"(?P<name>[^=]+)=(?P<rest>.*?)(?::(?P<dtype>[A-Za-z]\w*))?")
_SHAPE = re.compile(r"(?:\d+(?:[x,]\d+)*)?")
_HELP = (
    "write `--input x=1x3x224x224:float32` for a shape, `--input rate=0.5` or `--input k=[1,2]:int64` for a value, "
    "`--input x=@sample.npy` for a file"
)


@dataclass(frozen=True)
class Known:
    """What the source declares about an input: sizes (None: dynamic) and element type; nothing if either is None.

    `fixed`: the declaration is binding, as in a file; otherwise it describes an example, which a spec may override.
    """

    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None
    fixed: bool = False
    place: Place | None = None

    @property
    def is_single(self) -> bool:
        """Whether the input is a single number."""
        return self.shape == () or (self.fixed and self.shape is not None and set(self.shape) == {1})

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape is allowed."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            s in (None, size) for s, size in zip(self.shape, shape, strict=True)
        )

    @property
    def spelled(self) -> str:
        """The allowed shape and type, in the syntax of `--input`."""
        return "x".join(str(size or 1) for size in self.shape or ()) or "VALUE"

    def __str__(self) -> str:
        sizes = "" if self.shape is None else f"[{', '.join('?' if s is None else str(s) for s in self.shape)}]"
        return f"{self.dtype or ''}{sizes}"


@dataclass(frozen=True)
class InputSpec:
    """What `--input` specifies for one input: a static shape, a value or files, and optionally the element type.

    A single integer may be a shape or a value; the source's declaration decides. `within` is the range that `--range`
    declares for the input, to which the pixels of images are scaled.
    """

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    value: str | None = None
    files: str | None = None
    within: InputRange | None = None

    @staticmethod
    def parse(text: str) -> InputSpec:
        """Parse `NAME=SHAPE`, `NAME=VALUE`, `NAME==VALUE` or `NAME=[SHAPE]@FILE`, each with `:DTYPE` or without it.

        A shape is `1x3x224x224` or `1,3,224,224`, a value is JSON: `0.5`, `true`, `[[1, 2]]`.
        Raises `EdgecError` E0101.
        """
        found = _SPEC.fullmatch(text.strip())
        if found is None:
            raise error("E0101", f"`--input {text}` is not NAME=SHAPE, NAME=VALUE or NAME=@FILE", help=[_HELP])
        dtype, rest = found["dtype"], found["rest"].strip()
        sizes, at, files = rest.partition("@")
        if at and not files:
            raise error("E0101", f"`--input {text}` names no file", help=[_HELP])
        if dtype is not None and dtype not in _DTYPES:
            raise error("E0101", f"`{dtype}` is not an element type", help=[f"one of {', '.join(_DTYPES)}"])
        name = found["name"].strip()
        if _SHAPE.fullmatch(sizes) and not (at and not sizes):
            shape = _parsed_shape(sizes, text)
            return InputSpec(name, shape, dtype, sizes if len(shape) == 1 and not at else None, files or None)
        value = None if at else rest.removeprefix("=")
        if value is not None:
            _parsed_value(value, text)
        return InputSpec(name, None, dtype, value, files or None)

    @property
    def is_ambiguous(self) -> bool:
        """Whether it may be a size or a value."""
        return self.shape is not None and self.value is not None

    @property
    def gives_values(self) -> bool:
        """Whether it gives values rather than a shape only."""
        return self.value is not None or self.files is not None

    def sample(self, rng: np.random.Generator, known: Known | None = None) -> Array:
        """The example: the given values, otherwise standard normal floats, integers 0 or 1, which are valid indices of
        any table, and random booleans. Raises `EdgecError` E0107 if it does not fit, E0102 for a missing file.
        """
        return self.samples(rng, known)[0]

    def samples(self, rng: np.random.Generator, known: Known | None = None) -> list[Array]:
        """The example and the further samples in the files. Raises like `sample`."""
        known = known or Known()
        self._check_dtype(known)
        dtype = self.dtype if self.dtype and not known.fixed else known.dtype or self.dtype
        if self.files is not None:
            found = [a for held in read_samples(self.files, self.name) for a in self._arranged(held, known, dtype)]
        elif self.value is not None and (self.shape is None or self._is_value(known)):
            found = [self._of_value(known, dtype)]
        else:
            found = [_drawn(self.shape or (), dtype or "float32", rng)]
        for array in found:
            self._check_shape(array.shape, known)
        return found

    def _is_value(self, known: Known) -> bool:
        return known.is_single and not known.takes(self.shape or ())

    def _of_value(self, known: Known, dtype: str | None) -> Array:
        given = _parsed_value(self.value or "", self.value or "")
        array = fitted(given, dtype or _plain(given), f"`--input {self.name}={self.value}`")
        if array.size == 1 and known.shape is not None and None not in known.shape and known.is_single:
            return array.reshape([1] * len(known.shape))
        return array

    def _arranged(self, held: Array | Pixels, known: Known, dtype: str | None) -> list[Array]:
        """A file's array or image as samples: an array with one dimension more than the input contains several."""
        what = f"`{self.files}` for input `{self.name}`"
        if isinstance(held, Pixels):
            ends = (self.within.low, self.within.high) if self.within else None
            array = held.arranged(self.shape or known.shape, ends)
            return [fitted(array, dtype or "float32", what)]
        array = fitted(held, dtype or ("float32" if held.dtype.kind == "f" else str(held.dtype)), what)
        if known.shape is not None and array.ndim == len(known.shape) + 1 and known.takes(array.shape[1:]):
            return [np.asarray(part) for part in array]
        if self.shape is not None and array.shape != self.shape:
            raise self._unfit(f"is {list(array.shape)}", Known(self.shape, array.dtype.name), "give only the file")
        return [array]

    def _check_dtype(self, known: Known) -> None:
        if known.fixed and self.dtype and known.dtype and self.dtype != known.dtype:
            raise self._unfit(f"is of {self.dtype}", known, f"remove `:{self.dtype}`, or write `:{known.dtype}`")

    def _check_shape(self, shape: Sequence[int], known: Known) -> None:
        if known.fixed and not known.takes(shape):
            raise self._unfit(f"is {list(shape)}", known, f"write `--input {self.name}={known.spelled}`")

    def _unfit(self, what: str, known: Known, advice: str) -> EdgecError:
        message = f"the value for input `{self.name}` {what}; the input is {known}"
        return error("E0107", message, place=known.place, help=[advice])


def _parsed_shape(sizes: str, text: str) -> tuple[int, ...]:
    shape = tuple(int(d) for d in re.split("[x,]", sizes) if d)
    if math.prod(max(d, 1) for d in shape) > LARGEST_INPUT and len(shape) > 1:
        raise error("E0101", f"`--input {text}` is too large", notes=[f"the limit is {LARGEST_INPUT} elements"])
    return shape


def _parsed_value(value: str, text: str) -> Array:
    """Parse JSON numbers, booleans and lists of them. Raises `EdgecError` E0101."""
    try:
        array = np.array(json.loads(value.lower() if value.lower() in ("true", "false") else value))
    except (ValueError, OverflowError, RecursionError) as failure:
        raise error("E0101", f"`--input {text}` is neither a shape nor a value", help=[_HELP]) from failure
    if array.dtype.kind not in "biuf":
        raise error("E0101", f"`--input {text}` contains a value that is not a number", help=[_HELP])
    return array


def _plain(array: Array) -> str:
    """The element type of a value if none is specified."""
    return {"b": "bool", "f": "float32"}.get(array.dtype.kind, "int64")


def _drawn(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> Array:
    if math.prod(max(d, 1) for d in shape) > LARGEST_INPUT:
        raise error(
            "E0101", f"an input of shape {list(shape)} is too large", notes=[f"the limit is {LARGEST_INPUT} elements"]
        )
    if dtype.startswith("float"):
        return np.asarray(rng.standard_normal(shape)).astype(dtype)
    return np.asarray(rng.integers(0, 2, shape)).astype(dtype)


def read_specs(pattern: str) -> list[InputSpec]:
    """The inputs of `samples = "…"`: `.npz` files with one sample each, or several along the first dimension.

    Raises `EdgecError` E0102 for a missing file, E0107 if it is not an `.npz` file or has other names than the first.
    """
    held = {path: names_in(path) for path in matching(pattern)}
    first, names = next(iter(held.items()))
    for path, others in held.items():
        if set(others) != set(names):
            notes = [f"`{first.name}` contains {', '.join(names)}", f"`{path.name}` contains {', '.join(others)}"]
            raise error("E0107", f"`{path.name}` contains other inputs than `{first.name}`", notes=notes)
    return [InputSpec(name, files=pattern) for name in names]


def with_samples(specs: Sequence[InputSpec], pattern: str | Path | None) -> tuple[InputSpec, ...]:
    """The specs, with the samples of the files for inputs that no spec names."""
    said = {spec.name for spec in specs}
    more = read_specs(str(pattern)) if pattern else []
    return (*specs, *(spec for spec in more if spec.name not in said))


def with_ranges(specs: Sequence[InputSpec], ranges: Sequence[InputRange]) -> tuple[InputSpec, ...]:
    """The specs, each with the range that `--range` declares for its input."""
    known = {r.name: r for r in ranges}
    return tuple(replace(spec, within=known.get(spec.name)) for spec in specs)


def as_values(specs: Sequence[InputSpec]) -> tuple[InputSpec, ...]:
    """The specs, with those that may be a size or a value taken as values."""
    return tuple(replace(spec, shape=None) if spec.is_ambiguous else spec for spec in specs)


def check_once(specs: Sequence[InputSpec]) -> None:
    """Raise `EdgecError` E0107 if two specs name the same input."""
    names = [spec.name for spec in specs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise error("E0107", f"input `{twice[0]}` is given twice")


def match_specs(names: Sequence[str], specs: Sequence[InputSpec]) -> list[InputSpec]:
    """The specs in the order of the model's inputs. Raises `EdgecError` E0107 listing missing and unknown inputs."""
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
