"""Saves a model as a self-contained ONNX file."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir

from edgec.ir.model import Model

_WITHIN = 1 << 30
"""Bytes of weights up to which they are stored in the file itself: a protobuf message is limited to 2 GiB."""


def save_onnx(model: Model, path: Path) -> None:
    """Save the model with its weights: in the file, or in `<file>.data` beside it if they are large.

    Weights that are mapped from other files are copied, so that the saved model can be moved.
    """
    tensors = [v.const_value for g in model.graphs() for v in g.initializers.values() if v.const_value is not None]
    if sum(t.nbytes for t in tensors) > _WITHIN:
        ir.save(model, path, external_data=f"{path.name}.data")
        return
    own = model.clone()
    ir.external_data.load_to_model(own)
    ir.save(own, path)
