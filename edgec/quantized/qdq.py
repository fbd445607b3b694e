"""Converts QOperator format (QLinearConv etc.) to QDQ: DequantizeLinear, the float operator, QuantizeLinear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from edgec.diag import Diagnostic, Severity
from edgec.frontend.imported import ImportedModel
from edgec.frontend.onnx.reference import OnnxReference
from edgec.frontend.samples.draws import samples_like
from edgec.ir.model import Model
from edgec.measure.samples import SAMPLES
from edgec.passes.base import Pipeline
from edgec.passes.constants import ConstantsToInitializers, FoldConstants
from edgec.passes.remarks import Remark
from edgec.passes.rewrite import RewritePass, root_of
from edgec.quantized.equivalence import STEPS, compare_pieces
from edgec.rules.table import QOPERATOR
from edgec.runners.base import Array


def in_qdq_format(imported: ImportedModel, disabled: Iterable[str] = ()) -> tuple[ImportedModel, list[Remark]]:
    """A source in QOperator format, converted to QDQ format and its own reference from then on, and remarks.

    Other sources are returned unchanged.

    Each operator is compared with ONNX Runtime's integer kernel on the source's own values; a note (E0217) gives the
    difference. Raises `EdgecError` E0205 if it is more than rounding.
    """
    off = frozenset(disabled)
    rules = RewritePass("qdq", [rule for rule in QOPERATOR if rule.name not in off])
    roots = {root for rule in rules.rules for root in rule.roots}
    found = [node.outputs[0] for node in imported.model.graph if root_of(node) in roots]
    if not found:
        return imported, []
    source = imported.model.clone()
    remarks = _rewrite_keeping(imported.model, found, rules)
    reference = OnnxReference(Path(imported.source.ref), imported.model.clone(), changed=True)
    note = _compared(imported.name, source, imported.model, samples_like(imported.examples, SAMPLES))
    return replace(imported, reference=reference, warnings=(*imported.warnings, note)), remarks


def _rewrite_keeping(model: Model, values: Sequence[ir.Value], rules: RewritePass) -> list[Remark]:
    """Apply the rules, keeping the names of these values like those of an interface."""
    outputs = model.graph.outputs
    count = len(outputs)
    outputs.extend(value for value in values if not value.is_graph_output())
    remarks = Pipeline("qdq", [ConstantsToInitializers(), FoldConstants(), rules]).run(model)
    outputs[:] = outputs[:count]
    return remarks


def _compared(name: str, source: Model, model: Model, drawn: Sequence[dict[str, Array]]) -> Diagnostic:
    """The note on the comparison of both graphs on the samples. Raises `EdgecError` E0205."""
    names = _with_types(source, model)
    found = [compare_pieces(source, model, names, inputs) for inputs in drawn]
    for each in found:
        each.check(name, _OUTPUT_REL)
    off, size = sum(f.off for f in found), sum(f.size for f in found)
    message = f"the quantized operators of `{name}` are imported as DequantizeLinear, float operator, QuantizeLinear"
    notes = (
        f"ONNX Runtime's integer kernels round {off} of {size} elements to an adjacent step",
        "artifacts are compared with this representation of the model",
    )
    return Diagnostic("E0217", message, notes=notes, severity=Severity.NOTE)


_OUTPUT_REL = 1e-5
"""Accepted error of an output that is not quantized, from equal quantized values: float32 in another order."""


def _with_types(source: Model, model: Model) -> list[str]:
    """The quantized values that exist in both graphs; sets their types in the source, which other domains lack."""
    known = {v.name: v for node in model.graph for v in node.outputs if v.dtype in STEPS}
    found = []
    for value in (v for node in source.graph for v in node.outputs if v.name in known):
        value.shape, value.type = known[value.name].shape, known[value.name].type
        found.append(value.name or "")
    return found
