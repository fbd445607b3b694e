"""A model beyond a flatbuffer's 2 GiB: written, peak memory against the bound, loaded by LiteRT and compared.

    python -m benchmarks.tflite_large [--gib 2.4] [--target raspberry-pi]

Products of 4096 x 8192 in float32, their weights in a file beside the ONNX. The file is emitted in a process of its
own, whose memory is bounded by 1.3 times the weights plus 300 MiB. Needs twice the size on disk and in memory. Exits 1
where the bound or the numbers do not hold.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper

from edgec.backends.table import backend
from edgec.ir.model import OPSET
from edgec.passes.canonicalize import canonicalize
from edgec.passes.log import RewriteLog
from edgec.runners.litert import LiteRTRunner
from edgec.spec.target import load_target

WIDE, WIDER = 4096, 8192
LAYER = WIDE * WIDER * 4
TOLERANCE = 1e-4
_MODEL, _WEIGHTS, _FILE = "model.onnx", "weights.bin", "model.tflite"


def shape_of(layer: int) -> tuple[int, int]:
    """A layer's weight: there and back again."""
    return (WIDE, WIDER) if layer % 2 == 0 else (WIDER, WIDE)


def make(folder: Path, layers: int) -> None:
    """Write the ONNX file and its weights, one layer at a time."""
    rng, nodes, weights, x = np.random.default_rng(0), [], [], "x"
    with (folder / _WEIGHTS).open("wb") as file:
        for i in range(layers):
            rows, columns = shape_of(i)
            content = rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(np.sqrt(rows))
            file.write(content.data)
            tensor = TensorProto(name=f"w{i}", data_type=TensorProto.FLOAT, dims=(rows, columns))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", _WEIGHTS), ("offset", str(i * LAYER)), ("length", str(LAYER))):
                tensor.external_data.add(key=key, value=value)
            weights.append(tensor)
            nodes += [
                helper.make_node("MatMul", [x, f"w{i}"], [f"m{i}"]),
                helper.make_node("Tanh", [f"m{i}"], [f"y{i}"]),
            ]
            x = f"y{i}"
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, size])
        for name, size in (("x", WIDE), (x, shape_of(layers - 1)[1]))
    ]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10), folder / _MODEL)


def emit(folder: Path, target_name: str) -> None:
    """Write the TFLite file and print this process's peak memory in MiB."""
    model = canonicalize(ir.load(folder / _MODEL), RewriteLog())
    chosen, target = backend("tflite"), load_target(target_name)
    program = chosen.lower(chosen.legalize(model, target, RewriteLog()), target)
    chosen.assemble(program, target, folder / _FILE)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def difference(folder: Path, layers: int) -> float:
    """LiteRT's largest error relative to numpy's largest output."""
    x = np.random.default_rng(1).standard_normal((2, WIDE)).astype(np.float32)
    with LiteRTRunner(folder / _FILE) as runner:
        (found,) = runner.run({"x": x}).values()
    content = np.memmap(folder / _WEIGHTS, np.float32)
    for i in range(layers):
        x = np.tanh(x @ content[i * LAYER // 4 : (i + 1) * LAYER // 4].reshape(shape_of(i)))
    return float(np.abs(found.astype(np.float64) - x).max() / np.abs(x).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=2.4)
    parser.add_argument("--target", default="raspberry-pi")
    parser.add_argument("--emit", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.emit is not None:
        emit(options.emit, options.target)
        return 0
    layers = max(1, round(options.gib * 2**30 / LAYER))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, layers)
        command = [sys.executable, "-m", __spec__.name, "--emit", name, "--target", options.target]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak, weights = float(done.stdout.split()[-1]), layers * LAYER / 2**20
        bound, error = 1.3 * weights + 300, difference(folder, layers)
        print(f"weights {weights:.0f} MiB, file {(folder / _FILE).stat().st_size / 2**20:.0f} MiB")
        print(f"peak memory of emission {peak:.0f} MiB, bound {bound:.0f}; relative error {error:.1e}")
    return 0 if peak <= bound and error <= TOLERANCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
