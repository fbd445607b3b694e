"""Run onnx2tf in a separate process, and give its file edgec's interface: names, layouts, metadata."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgec.backends.tflite.interface import Interface, Shape
from edgec.backends.tflite.via.environment import VERSION
from edgec.diag import error
from edgec.diag.foreign import said
from edgec.ir.model import Model
from edgec.ir.save import save_onnx

_LINES = 12
_NAME = "model"


def convert(python: Path, model: Model, keep: Sequence[str], weights: str) -> bytes:
    """The flatbuffer that onnx2tf writes. `keep` names inputs that keep the source's layout.

    `weights` is float32 or float16. Raises `EdgecError` E0501 with the end of onnx2tf's output if it fails.
    """
    with tempfile.TemporaryDirectory(prefix="edgec-onnx2tf-") as folder:
        source, out = Path(folder) / f"{_NAME}.onnx", Path(folder) / "out"
        save_onnx(model, source)
        options = ["-i", str(source), "-o", str(out), "-n", *(["-kat", *keep] if keep else [])]
        code = "import sys; from onnx2tf import main; sys.exit(main())"
        done = subprocess.run(
            [str(python), "-c", code, *options], capture_output=True, text=True, check=False, cwd=folder
        )
        made = out / f"{_NAME}_{weights}.tflite"
        if not made.is_file():
            lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
            raise error(
                "E0501",
                f"onnx2tf {VERSION} cannot convert this model",
                notes=[said("onnx2tf", line) for line in lines if line.strip()][-1:],
                help=["build without `--via onnx2tf`: edgec's own emitter names the operator and its line"],
            )
        return made.read_bytes()


def rename(model: Any, interface: Interface) -> None:
    """Give the signature of a `ModelT` the source's names; onnx2tf changes some, but keeps their order.

    Raises `EdgecError` E0501 if inputs or outputs are not the source's.
    """
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    for kind, indices, entries, wanted in (
        ("inputs", graph.inputs, signature.inputs, interface.inputs),
        ("outputs", graph.outputs, signature.outputs, interface.outputs),
    ):
        if len(indices) != len(wanted):
            raise error("E0501", f"onnx2tf {VERSION} writes {len(indices)} {kind}, but the model has {len(wanted)}")
        by_index = dict(zip((int(i) for i in indices), wanted, strict=True))
        for entry in entries:
            entry.name = by_index[entry.tensorIndex].encode()


def turned(model: Any, interface: Interface) -> list[str]:
    """The inputs and outputs that are channels-last in the file. Raises `EdgecError` E0501 for other shapes."""
    graph, found = model.subgraphs[0], []
    for indices, wanted in ((graph.inputs, interface.inputs), (graph.outputs, interface.outputs)):
        for index, (name, shape) in zip(indices, wanted.items(), strict=True):
            tensor = graph.tensors[index]
            made = tuple(int(d) for d in (tensor.shape if tensor.shape is not None else ()))
            if made == tuple(shape):
                continue
            if made != _last(shape):
                raise error("E0501", f"onnx2tf {VERSION} gives `{name}` the shape {list(made)}, not {list(shape)}")
            found.append(name)
    return found


def _last(shape: Shape) -> tuple[object, ...]:
    """The shape with channels last."""
    return (*shape[:1], *shape[2:], *shape[1:2])
