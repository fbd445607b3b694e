"""The commands of edgec without any of its extras: their exit codes and output.

As a script, runs them in one process in which the packages of the extras cannot be imported, in the current folder, and
prints the outcomes as JSON.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

EXTRAS = (
    "torch", "onnxscript", "safetensors", "coremltools", "ai_edge_litert", "sklearn", "skl2onnx", "skops",
    "tensorrt_rtx_bindings", "transformers", "scipy", "PIL",
)  # fmt: skip
"""The modules provided by the extras."""


@dataclass(frozen=True)
class Asked:
    """A command's arguments, exit code, and expected texts."""

    words: str
    code: int
    says: tuple[str, ...]


ASKED = (
    Asked("--version", 0, ("edgec ",)),
    Asked("targets", 0, ("iphone", "android", "rtx")),
    Asked("targets show iphone --resolved", 0, ("minimum_deployment_target",)),
    Asked("devices", 0, ("iphone-15-pro", "galaxy-s24")),
    Asked("rules", 0, ("einsum-to-matmul",)),
    Asked("explain E0502", 0, ("a library is missing",)),
    Asked("doctor", 0, ("pip install 'edgec[torch]'", "pip install 'edgec[tflite]'")),
    Asked("inspect model.onnx", 0, ("parameters  108", "Conv 1")),
    Asked("lint model.onnx", 0, ("0 errors",)),
    Asked("build model.onnx --target onnx --target onnxruntime-mobile", 0, ("passed",)),
    Asked("predict model.onnx --target iphone", 0, ("iphone-13",)),
    Asked("predict model.onnx --target android", 0, ("CONV_2D",)),
    Asked("inspect model.tflite", 4, ("pip install 'edgec[tflite]'",)),
    Asked("inspect model.mlpackage", 4, ("pip install 'edgec[coreml]'",)),
    Asked("lint model.tflite", 4, ("pip install 'edgec[tflite]'",)),
    Asked("lint model.mlpackage", 4, ("pip install 'edgec[coreml]'",)),
    Asked("run model.mlpackage", 4, ("pip install 'edgec[coreml]'",)),
    Asked("build model.onnx --target android", 4, ("`android` needs ai-edge-litert", "pip install 'edgec[tflite]'")),
    Asked(
        "build net.py:model --target android --target iphone --target rtx",
        4,
        ("`net.py:model` needs torch", "pip install 'edgec[coreml,tensorrt,tflite,torch]'"),
    ),
    Asked("build net.py:model --target jetson-orin", 4, ("pip install 'edgec[torch]'",)),
    Asked("build traced.pt --target onnx", 4, ("`traced.pt` needs torch",)),
    Asked("build pipeline.skops --target onnx", 4, ("pip install 'edgec[sklearn]'",)),
    Asked("predict net.py:model --target android", 4, ("pip install 'edgec[torch]'",)),
    Asked("check model.onnx --against net.py:model", 4, ("pip install 'edgec[torch]'",)),
)


@dataclass(frozen=True)
class Outcome:
    """An exit code, and the output on both streams."""

    code: int
    printed: str


def faults(asked: Asked, outcome: Outcome) -> list[str]:
    """Differences from the expectation, with the output."""
    missing = [text for text in asked.says if text not in outcome.printed]
    found = [f"exit code {outcome.code}, not {asked.code}"] if outcome.code != asked.code else []
    found += [f"`{text}` is not said" for text in missing]
    return [f"edgec {asked.words}: {fault}\n{outcome.printed}" for fault in found]


def write_files(folder: Path) -> None:
    """Write the files that the commands use. Raises if the folder does not exist."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3), "w")
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, c, 8, 8]) for n, c in (("x", 3), ("y", 4))]
    conv = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    graph = helper.make_graph([conv], "model", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    (folder / "net.py").write_text("import torch\n\nmodel = torch.nn.ReLU()\n", encoding="utf-8")
    for name in ("model.tflite", "traced.pt", "pipeline.skops"):
        (folder / name).write_bytes(b"")
    package = folder / "model.mlpackage"
    (package / "Data").mkdir(parents=True)
    (package / "Data" / "model.mlmodel").write_bytes(b"")
    entries = {"id": {"path": "model.mlmodel", "name": "model.mlmodel", "author": "com.apple.CoreML"}}
    manifest = {"fileFormatVersion": "1.0.0", "rootModelIdentifier": "id", "itemInfoEntries": entries}
    (package / "Manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _run(words: Sequence[str]) -> Outcome:
    from edgec.cli.app import app

    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            app(list(words))
        except SystemExit as ended:
            code = ended.code
    return Outcome(code if isinstance(code, int) else 0, printed.getvalue())


def main() -> None:
    blocked: dict[str, None] = dict.fromkeys(EXTRAS)  # None is Python's mark for what cannot be imported
    sys.modules.update(blocked)  # type: ignore[arg-type]
    import edgec

    outcomes = [vars(_run(asked.words.split())) for asked in ASKED]
    print(json.dumps({"package": edgec.__file__, "outcomes": outcomes}))


if __name__ == "__main__":
    main()
