"""Emission of transformers of 6 to 48 blocks: time is linear in the graph, memory bounded by the weights.

    python -m benchmarks.coreml_emission [--blocks 6,12,24,48] [--width 512]

One process for each size, from a canonical graph to the written package: legalize (with the samples' ranges), lower,
assemble. Prints seconds, seconds per block, the MiB of float32 weights in the source, and how much peak memory grows
over the memory before, next to the bound of 1.5 times the weights plus 400 MiB (which includes the weights).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir

from edgec.backends.table import backend
from edgec.calibration.calibration import Calibration
from edgec.ir.build import GraphBuilder
from edgec.ir.model import OPSET, Model
from edgec.spec.target import load_target

TOKENS = 64


def transformer(blocks: int, width: int) -> Model:
    """Pre-norm blocks of attention (8 heads) and a feed-forward layer of four times the width, with random weights."""
    rng = np.random.default_rng(0)
    x = ir.Value(name="x", shape=ir.Shape([1, TOKENS, width]), type=ir.TensorType(ir.DataType.FLOAT))
    graph = ir.Graph([x], [], nodes=[], opset_imports={"": OPSET}, name="transformer")
    g = GraphBuilder(graph, [], "model")

    def dense(value: ir.Value, rows: int, columns: int) -> ir.Value:
        weight = g.const(
            rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(rows**0.5), name=f"w{len(g.nodes)}"
        )
        return g.op("MatMul", value, weight)

    def normed(value: ir.Value) -> ir.Value:
        ones = g.const(np.ones(width, np.float32), name=f"n{len(g.nodes)}")
        return g.op("LayerNormalization", value, ones, axis=-1)

    def heads(value: ir.Value) -> ir.Value:
        return g.op("Transpose", g.op("Reshape", value, g.ints(1, TOKENS, 8, width // 8)), perm=[0, 2, 1, 3])

    y = x
    for _ in range(blocks):
        h = normed(y)
        q, k, v = (heads(dense(h, width, width)) for _ in range(3))
        scores = g.op("MatMul", q, g.op("Transpose", k, perm=[0, 1, 3, 2]))
        seen = g.op("MatMul", g.op("Softmax", g.op("Mul", scores, g.like((width // 8) ** -0.5, scores)), axis=-1), v)
        joined = g.op("Reshape", g.op("Transpose", seen, perm=[0, 2, 1, 3]), g.ints(1, TOKENS, width))
        y = g.op("Add", y, dense(joined, width, width))
        y = g.op("Add", y, dense(g.op("Gelu", dense(normed(y), width, 4 * width)), 4 * width, width))
    graph.extend(g.nodes)
    y.name = "y"
    graph.outputs.append(y)
    return ir.Model(graph, ir_version=10)


def measure(blocks: int, width: int) -> dict[str, float]:
    """Build one size in this process; returns seconds, and MiB of weights and of memory growth."""
    chosen, target = backend("coreml"), load_target("iphone")
    with tempfile.TemporaryDirectory() as folder:
        small = transformer(1, 64)
        sample = {"x": np.random.default_rng(1).standard_normal((1, TOKENS, 64), dtype=np.float32)}
        first = chosen.legalize(small, target, Calibration((sample,))).model  # excludes imports from the measurement
        chosen.assemble(chosen.lower(first, target), target, Path(folder) / "first.mlpackage")
        model = transformer(blocks, width)
        weights = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
        sample = {"x": np.random.default_rng(1).standard_normal((1, TOKENS, width), dtype=np.float32)}
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        legal = chosen.legalize(model, target, Calibration((sample,))).model
        chosen.assemble(chosen.lower(legal, target), target, Path(folder) / "model.mlpackage")
        seconds = time.monotonic() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "weights": weights / 2**20, "growth": (peak - before) / 1024}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", default="6,12,24,48")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print("RESULT " + json.dumps(measure(options.one, options.width)))
        return 0
    print(f"{'blocks':>6} {'seconds':>8} {'a block':>8} {'weights MiB':>12} {'growth MiB':>11} {'bound MiB':>10}")
    for blocks in map(int, options.blocks.split(",")):
        command = [sys.executable, "-m", __spec__.name, "--one", str(blocks), "--width", str(options.width)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = json.loads(next(line for line in lines if line.startswith("RESULT "))[7:])
        bound = 0.5 * found["weights"] + 400
        print(
            f"{blocks:6} {found['seconds']:8.2f} {found['seconds'] / blocks:8.3f} {found['weights']:12.0f} "
            f"{found['growth']:11.0f} {bound:10.0f}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
