"""Inspects an ONNX file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx_ir as ir

from edgec.diag import Place, error
from edgec.diag.foreign import said
from edgec.ir.model import all_nodes
from edgec.measure.inspection.summary import Content, Feature, Weight


def read_onnx(path: Path) -> Content:
    """The interface, operators (in subgraphs too), initializers and metadata. Raises `EdgecError` E0203."""
    try:
        model = ir.load(path)
    except Exception as failure:  # protobuf and onnx_ir share no public base
        raise error(
            "E0203", f"`{path.name}` is not an ONNX file", place=Place(str(path)), notes=[said("onnx_ir", failure)]
        ) from failure
    return content_of(model)


def content_of(model: ir.Model) -> Content:
    """The same of a model in memory."""
    ops = Counter(f"{n.domain}::{n.op_type}" if n.domain else n.op_type for n in all_nodes(model))
    tensors = [v.const_value for v in model.graph.initializers.values() if v.const_value is not None]
    weights = [Weight(t.name or "", t.dtype.name.lower(), tuple(t.shape.numpy()), t.nbytes) for t in tensors]
    versions = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in model.opset_imports.items())
    metadata = {"producer": f"{model.producer_name or '?'} {model.producer_version or ''}".strip(), "opset": versions}
    kept = {k: v for k, v in model.metadata_props.items() if len(v) < 200}
    inputs = [_feature(v) for v in model.graph.inputs if not v.is_initializer()]
    outputs = [_feature(v) for v in model.graph.outputs]
    opset = model.opset_imports.get("", 0)
    system = f"ONNX opset {opset}" if opset else ""
    return Content(inputs, outputs, dict(ops), weights, {**metadata, **kept}, system=system)


def _feature(value: ir.Value) -> Feature:
    dims = [] if value.shape is None else [d if isinstance(d, int) else str(d.value or "?") for d in value.shape]
    return Feature(value.name or "", value.dtype.numpy().name if value.dtype else "?", tuple(dims))
