"""The interface of engines, how a case runs on one, and the four possible outcomes."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import onnx

from edgec.diag import Diagnostic, EdgecError, error
from tests.conformance.onnx_nodes import binding
from tests.conformance.onnx_nodes.cases import Case
from tests.conformance.onnx_nodes.compare import Tolerance, difference

PASSED, REFUSED, WRONG, CRASHED = "passed", "refused", "wrong", "crashed"


class Engine(Protocol):
    """Runs an ONNX model.

    `binds`: operator parameters (axes, shapes, pads …) and weights may be given as constants if the engine refuses them
    as inputs. `tolerance` widens the case's own. `intro` is the introduction of the engine's document.
    """

    name: str
    intro: str
    binds: bool
    tolerance: Tolerance

    def run(self, model: onnx.ModelProto, inputs: dict[str, np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        """The outputs in order. Raises `EdgecError` for refusals; any other exception is a crash."""
        ...


@dataclass(frozen=True)
class Result:
    """The result of a case: the outcome, the label of a refusal, what was bound, and a line of detail."""

    case: str
    outcome: str
    label: str = ""
    bound: str = ""
    detail: str = ""


def run_case(engine: Engine, case: Case) -> Result:
    """Run as given; if that is refused, with parameters bound, then also with weights bound."""
    result = _attempt(engine, case, "")
    for level in binding.LEVELS if engine.binds else ():
        if result.outcome != REFUSED:
            break
        bound = binding.bind(case, level)
        if bound is not case:
            second = _attempt(engine, bound, level)
            result = second if second.outcome != REFUSED or second.label != result.label else result
    # The refusal is the same however much was bound.
    return replace(result, bound="") if result.outcome == REFUSED else result


def _attempt(engine: Engine, case: Case, level: str) -> Result:
    try:
        _refuse_other_types(case)
        outputs = engine.run(case.model, case.inputs)
    except EdgecError as refused:
        first = refused.diagnostics[0]
        outcome = CRASHED if first.code in _NOT_REFUSALS else REFUSED
        detail = "; ".join([*(f"{d.code}: {d.message}" for d in refused.diagnostics), *first.notes])
        return Result(case.name, outcome, label_of(first), level, detail[:400])
    except Exception as failure:  # any other exception is a defect, and reported as one
        where = traceback.extract_tb(failure.__traceback__)[-1]
        text = f"{type(failure).__name__}: {failure} ({where.filename.split('/')[-1]}:{where.lineno})"
        return Result(case.name, CRASHED, "", level, " ".join(text.split())[:300])
    wrong = difference(case, outputs, engine.tolerance)
    return Result(case.name, WRONG if wrong else PASSED, "", level, wrong)


_NOT_REFUSALS = frozenset({"E0501", "E0602", "E0604"})
"""The vendor's library or runner rejects what edgec wrote, which is a defect of edgec, not a refusal."""


def label_of(diagnostic: Diagnostic) -> str:
    """The label of a refusal (rejected by `label`), else its code."""
    for note in diagnostic.notes:
        found = re.search(r"rejected by `([^`]+)`", note)
        if found:
            return found[1]
    return diagnostic.code


def _refuse_other_types(case: Case) -> None:
    """Refuse interfaces with other types than numeric tensors, which artifacts do not have."""
    for value in (*case.inputs.values(), *case.expected.values()):
        label = _type_label(value)
        if label:
            raise error("E0401", "the interface is not made of numeric tensors", notes=[f"rejected by `{label}`"])
    for info in (*case.model.graph.input, *case.model.graph.output):
        if info.type.HasField("optional_type"):
            raise error("E0401", f"`{info.name}` is optional", notes=["rejected by `interface-optional`"])


def _type_label(value: Any) -> str:
    if value is None:
        return "interface-optional"
    if isinstance(value, list):
        return "interface-sequence"
    return "interface-string" if value.dtype.kind in "OSU" else ""
