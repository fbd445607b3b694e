"""Writing a model as an ONNX file that holds everything it needs."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from edgec.ir.model import Model

_WITHIN = 1 << 30
"""Bytes of weights that go into the file itself: a protobuf message ends at 2 GiB."""


def save_onnx(model: Model, path: Path) -> None:
    """Write the model with its weights: within the file, or where they are many beside it, as `<file>.data`.

    Weights that are mapped from other files are copied, so that the result can be moved.
    """
    tensors = [v.const_value for g in model.graphs() for v in g.initializers.values() if v.const_value is not None]
    if sum(t.nbytes for t in tensors) > _WITHIN:
        ir.save(model, path, external_data=f"{path.name}.data")
        return
    own = model.clone()
    ir.external_data.load_to_model(own)
    ir.save(own, path)
