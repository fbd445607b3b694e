"""Runs one case: exports, canonicalizes, and compares with eager PyTorch, all by the driver."""

from __future__ import annotations

import traceback

import torch

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from tests.conformance.onnx_nodes.engine import CRASHED, PASSED, REFUSED, WRONG, Result, label_of
from tests.conformance.torch_ops.cases import build

ABSENT = "absent"
"""The operator has no such sample."""

_STAGES = {"E0201": "fails-eagerly", "E0202": "torch-export", "E0205": "differs"}
"""The label in the table for codes whose diagnostic names no label."""


def run(name: str) -> Result:
    """Run one case. A graph that computes something else is `wrong`, although the driver rejects it."""
    try:
        built = build(name)
    except Exception as failure:  # samples that the database itself cannot draw here
        return Result(name, ABSENT, detail=str(failure)[:100])
    if built is None:
        return Result(name, ABSENT)
    module, inputs = built
    if not inputs or any(t.is_complex() or t.is_sparse for t in inputs):
        return Result(name, REFUSED, "interface-complex" if inputs else "no-tensor")
    try:
        request = ExportRequest("op", SourceId("module", name, ""), module.eval(), inputs)
        prepare_imported(export_module(request), BuildOptions(), lambda step: None)
    except EdgecError as refused:
        first = refused.diagnostics[0]
        label = label_of(first)
        outcome = WRONG if first.code == "E0205" else CRASHED if first.code == "E0602" else REFUSED
        detail = "; ".join([*(f"{d.code}: {d.message}" for d in refused.diagnostics), *first.notes])
        return Result(name, outcome, _STAGES.get(label, label), detail=" ".join(detail.split())[:300])
    except Exception as failure:  # any other exception is a defect
        where = traceback.extract_tb(failure.__traceback__)[-1]
        text = f"{type(failure).__name__}: {failure} ({where.filename.split('/')[-1]}:{where.lineno})"
        return Result(name, CRASHED, detail=" ".join(text.split())[:300])
    return Result(name, PASSED)


torch.set_num_threads(1)
