"""Runs two artifacts of one model on the same inputs and finds the first value in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgec.artifact.locate import Located, locate
from edgec.compiler import notebook
from edgec.diag import EdgecError, error
from edgec.measure.arrays import Array, check_arrays, draw_arrays, load_arrays
from edgec.measure.divergence import Pair, pairs
from edgec.measure.inspection import inputs_of
from edgec.measure.source_view import all_values, common_inputs, fitted, from_app, source_inputs


@dataclass(frozen=True, repr=False)
class Divergence:
    """The values that two artifacts have in common, and the first pair that differs by more than allowed."""

    pairs: tuple[Pair, ...]
    tolerance: float

    @property
    def first(self) -> Pair | None:
        """The first value that differs."""
        return next((p for p in self.pairs if not p.difference.max_rel <= self.tolerance), None)

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        """HTML for notebooks: the first value that differs, and those with the largest differences."""
        rows = [(p.name, p.other, f"{p.difference.max_rel:.2e}", f"{p.difference.max_abs:.2e}") for p in self._worst]
        headings = ("value", "in the other", "largest relative error", "largest absolute error")
        first = [] if self.first is None else [("first", _line(self.first))]
        return notebook.table((), [("values in both", len(self.pairs)), *first]) + notebook.table(headings, rows)

    @property
    def _worst(self) -> list[Pair]:
        return sorted(self.pairs, key=lambda p: -p.difference.max_rel)[:5]

    def lines(self) -> list[str]:
        """Text lines."""
        lines = [f"{len(self.pairs)} values are in both artifacts"]
        if self.first is None:
            lines.append(f"they agree to {self.tolerance:g} relative to each value's largest magnitude")
        else:
            lines.append(f"the first that differs: {_line(self.first)}")
        return [*lines, "furthest apart:", *(f"  {_line(p)}" for p in self._worst)]

    def document(self) -> dict[str, Any]:
        """A JSON document."""
        rows = [{"name": p.name, "other": p.other, **asdict(p.difference)} for p in self.pairs]
        return {"tolerance": self.tolerance, "first": self.first.name if self.first else None, "values": rows}


def _line(pair: Pair) -> str:
    d = pair.difference
    other = "" if pair.other == pair.name else f" (`{pair.other}`)"
    return f"`{pair.name}`{other}: rel {d.max_rel:.2e}, abs {d.max_abs:.2e} at {list(d.worst)}"


def compare_artifacts(
    first: Path, second: Path, inputs: Sequence[str] | Mapping[str, Array], tolerance: float
) -> Divergence:
    """Run both on the same inputs (random with a fixed seed if none are given) and compare corresponding values.

    Raises `EdgecError` E0603 if they have no value in common.
    """
    a, b = locate(first), locate(second)
    common = common_inputs(a, b)
    arrays = draw_arrays(common)
    if inputs:
        given = from_app(a, _given(inputs, a))
        arrays |= fitted(given, [f for f in source_inputs(a) if f.name in given])
    found = pairs(*(all_values(each, fitted(arrays, source_inputs(each))) for each in (a, b)))
    if not found:
        raise _nothing_common(a, b)
    return Divergence(tuple(found), tolerance)


def _given(inputs: Sequence[str] | Mapping[str, Array], found: Located) -> dict[str, Array]:
    """Arrays as given, or from the files named on the command line."""
    if isinstance(inputs, Mapping):
        return dict(inputs)
    features = inputs_of(found.path)
    return check_arrays(load_arrays(inputs, features), features)


def _nothing_common(a: Located, b: Located) -> EdgecError:
    return error(
        "E0603",
        f"`{a.path.name}` and `{b.path.name}` have no value in common",
        help=["compare two artifacts of the same model"],
    )
