"""Canonicalization compared to onnxslim and onnxsim: nodes, seconds, and latency in ONNX Runtime.

    python -m benchmarks.canonicalize FOLDER [--only PATTERN] [--simplifiers PYTHON] [--linearity]

FOLDER holds exported `.onnx` files (opset 7 or later, static shapes). PYTHON is an interpreter with onnxslim, onnxsim
and onnxruntime installed, in an environment of its own since they pin an older onnx:

    python -m venv /tmp/simplifiers && /tmp/simplifiers/bin/pip install onnxslim onnxsim onnxruntime

`--linearity` needs no folder: it times the canonicalization of transformers of 12, 24 and 48 layers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort

from edgec.frontend.onnx.opset import to_working_opset
from edgec.passes.canonicalize import canonicalize

RUNS = 25

NOISE = 1.1
"""Latencies within a factor of 1.1 count as equal on a shared machine."""

SIMPLIFY = """
import json, sys, time
tool, source, target = sys.argv[1:]
import onnx
model = onnx.load(source)
start = time.monotonic()
if tool == "onnxslim":
    import onnxslim
    model = onnxslim.slim(model)
else:
    import onnxsim
    model, ok = onnxsim.simplify(model)
    assert ok
seconds = time.monotonic() - start
onnx.save(model, target)
print(json.dumps({"seconds": seconds}))
"""


@dataclass
class Row:
    """The result of one tool for one model; 0 nodes: it failed, with the reason in `note`."""

    tool: str
    nodes: int = 0
    seconds: float = 0.0
    latency_ms: float = 0.0
    note: str = ""

    def text(self) -> str:
        if not self.nodes:
            return f"  {self.tool:10} failed: {self.note}"
        return f"  {self.tool:10} {self.nodes:6} nodes  {self.seconds:7.2f} s  {self.latency_ms:8.2f} ms {self.note}"


def count_nodes(graph: onnx.GraphProto) -> int:
    """All nodes except constants, including those of subgraphs."""
    inner = [a.g for n in graph.node for a in n.attribute if a.HasField("g")]
    return sum(n.op_type != "Constant" for n in graph.node) + sum(map(count_nodes, inner))


class Session:
    """A model in ONNX Runtime with its default optimizations, on one thread, with seeded inputs."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(0)
        self._feeds = {}
        for v in self._session.get_inputs():
            whole = rng.integers(0, 2, v.shape).astype(np.bool_ if "bool" in v.type else np.int64)
            self._feeds[v.name] = rng.standard_normal(v.shape).astype(np.float32) if "float" in v.type else whole

    def run(self) -> list[np.ndarray]:
        """The outputs."""
        return self._session.run(None, self._feeds)

    def milliseconds(self) -> float:
        """The time of one run."""
        start = time.monotonic()
        self.run()
        return (time.monotonic() - start) * 1000


def latencies(sessions: list[Session]) -> list[float]:
    """The minimum milliseconds of each, run in turn: other processes can only slow a run down."""
    times = [[session.milliseconds() for session in sessions] for _ in range(RUNS)]
    return [min(column) for column in zip(*times, strict=True)]


def ours(source: Path, target: Path) -> float:
    """Canonicalize in this process; returns the seconds without loading and saving."""
    model = to_working_opset(onnx.load(source), source)
    start = time.monotonic()
    canonicalize(model)
    seconds = time.monotonic() - start
    ir.save(model, target)
    return seconds


def theirs(python: str, tool: str, source: Path, target: Path) -> float:
    """Simplify in the other environment; returns the seconds without startup, loading and saving."""
    command = [python, "-c", SIMPLIFY, tool, str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1][:120])
    return float(json.loads(done.stdout.strip().splitlines()[-1])["seconds"])


def compare(source: Path, simplifiers: str | None) -> list[Row]:
    """A row for the original model and for each tool; outputs are compared with the original's."""
    first = Session(source)
    expected, sessions = first.run(), {"as exported": first}
    rows = [Row("as exported", count_nodes(onnx.load(source, load_external_data=False).graph))]
    tools = ["edgec", *(("onnxslim", "onnxsim") if simplifiers else ())]
    with tempfile.TemporaryDirectory() as folder:
        for tool in tools:
            target = Path(folder) / f"{tool}.onnx"
            try:
                seconds = ours(source, target) if tool == "edgec" else theirs(simplifiers or "", tool, source, target)
                sessions[tool] = Session(target)
                outputs = sessions[tool].run()
            except Exception as e:  # whatever stops a contestant, onnxruntime's classes included, is its result
                rows.append(Row(tool, note=" ".join(str(e).split())[:160]))
                sessions.pop(tool, None)
                continue
            apart = max(_relative(a, b) for a, b in zip(expected, outputs, strict=True))
            nodes = count_nodes(onnx.load(target, load_external_data=False).graph)
            rows.append(Row(tool, nodes, seconds, 0.0, "" if apart < 1e-4 else f"differs by {apart:.1e}"))
    medians = dict(zip(sessions, latencies(list(sessions.values())), strict=True))
    for row in rows:
        row.latency_ms = medians.get(row.tool, 0.0)
    return rows


def summary(models: dict[str, list[Row]]) -> str:
    """Total nodes and seconds over the models that every tool finishes, and the models where edgec is not the best."""
    whole = {name: rows for name, rows in models.items() if all(row.nodes for row in rows)}
    lines = [f"{len(whole)} of {len(models)} models that every tool finishes"]
    for i, tool in enumerate(row.tool for row in next(iter(whole.values()), [])):
        of_tool = [rows[i] for rows in whole.values()]
        ratio = statistics.geometric_mean(r[i].latency_ms / r[0].latency_ms for r in whole.values())
        nodes, seconds = sum(r.nodes for r in of_tool), sum(r.seconds for r in of_tool)
        lines.append(
            f"  {tool:11} {nodes:6} nodes  {seconds:7.1f} s  latency {ratio:.3f} of that of the exported graphs"
        )
    for name, rows in models.items():
        own = next((row for row in rows if row.tool == "edgec"), None)
        others = [row for row in rows if row.nodes and row.tool not in ("edgec", "as exported")]
        if own is None or not others:
            continue
        least, fastest = min(r.nodes for r in others), min(r.latency_ms for r in others)
        if own.nodes > least:
            lines.append(f"  larger: {name}, {own.nodes} nodes, {least} from another tool")
        if own.latency_ms > fastest * NOISE:
            lines.append(f"  slower: {name}, {own.latency_ms:.2f} ms, {fastest:.2f} ms from another tool")
    return "\n".join(lines)


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    peak = float(np.abs(a.astype(np.float64)).max(initial=1e-30))
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max(initial=0.0)) / peak


def transformer(layers: int, width: int = 64, heads: int = 4) -> onnx.ModelProto:
    """A transformer encoder as opset 13 required: norms, attention and GELU from elementary operators."""
    rng = np.random.default_rng(0)
    weights: dict[str, np.ndarray] = {
        "two": np.asarray(2.0, np.float32), "eps": np.asarray(1e-5, np.float32), "half": np.asarray(0.5, np.float32),
        "one": np.asarray(1.0, np.float32), "root": np.asarray(np.sqrt(2.0), np.float32),
        "split": np.asarray([1, 16, heads, width // heads]), "join": np.asarray([1, 16, width]),
    }  # fmt: skip
    lines, x = [], "x"
    for i in range(layers):
        for name, shape in (("q", width), ("k", width), ("v", width), ("o", width), ("u", 4 * width)):
            weights[f"{name}{i}"] = (rng.standard_normal((width, shape)) * 0.05).astype(np.float32)
        weights[f"d{i}"] = (rng.standard_normal((4 * width, width)) * 0.05).astype(np.float32)
        weights[f"g{i}"] = weights[f"b{i}"] = rng.standard_normal(width).astype(np.float32)
        lines += [
            f"m{i}_0 = ReduceMean<axes=[-1], keepdims=1>({x}) m{i}_1 = Sub({x}, m{i}_0) m{i}_2 = Pow(m{i}_1, two)",
            f"m{i}_3 = ReduceMean<axes=[-1], keepdims=1>(m{i}_2) m{i}_4 = Add(m{i}_3, eps) m{i}_5 = Sqrt(m{i}_4)",
            f"m{i}_6 = Div(m{i}_1, m{i}_5) m{i}_7 = Mul(m{i}_6, g{i}) n{i} = Add(m{i}_7, b{i})",
            *(f"{p}p{i} = MatMul(n{i}, {p}{i}) {p}r{i} = Reshape({p}p{i}, split)" for p in "qkv"),
            f"qt{i} = Transpose<perm=[0,2,1,3]>(qr{i}) kt{i} = Transpose<perm=[0,2,3,1]>(kr{i})",
            f"vt{i} = Transpose<perm=[0,2,1,3]>(vr{i}) s{i} = MatMul(qt{i}, kt{i}) a{i} = Softmax<axis=-1>(s{i})",
            f"c{i} = MatMul(a{i}, vt{i}) ct{i} = Transpose<perm=[0,2,1,3]>(c{i}) cr{i} = Reshape(ct{i}, join)",
            f"op{i} = MatMul(cr{i}, o{i}) h{i} = Add({x}, op{i}) up{i} = MatMul(h{i}, u{i}) e{i}_0 = Div(up{i}, root)",
            f"e{i}_1 = Erf(e{i}_0) e{i}_2 = Add(e{i}_1, one) e{i}_3 = Mul(up{i}, e{i}_2) e{i}_4 = Mul(e{i}_3, half)",
            f"dp{i} = MatMul(e{i}_4, d{i}) y{i} = Add(h{i}, dp{i})",
        ]
        x = f"y{i}"
    head = f'<ir_version: 8, opset_import: ["" : 13]> g (float[1, 16, {width}] x) => (float[1, 16, {width}] {x})'
    model = onnx.parser.parse_model(head + "{" + "\n".join(lines) + "}")
    model.graph.initializer.extend(onnx.numpy_helper.from_array(w, n) for n, w in weights.items())
    return model


def linearity() -> None:
    """Prints seconds per layer at three depths, which are equal if every pass is linear."""
    for layers in (12, 24, 48):
        model = to_working_opset(transformer(layers), Path(f"{layers} layers"))
        before = len(model.graph)
        start = time.process_time()
        canonicalize(model)
        seconds = time.process_time() - start
        nodes = f"{before} to {len(model.graph)} nodes"
        print(f"{layers:3} layers: {nodes}, {seconds:.2f} s, {seconds / layers * 1e3:.1f} ms a layer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", default="*")
    parser.add_argument("--simplifiers", metavar="PYTHON")
    parser.add_argument("--linearity", action="store_true")
    options = parser.parse_args()
    if options.linearity:
        linearity()
    if options.folder is None:
        sys.exit(0 if options.linearity else "a folder of ONNX files is needed")
    models = {}
    for path in sorted(options.folder.glob(f"{options.only}.onnx")):
        print(path.stem)
        models[path.stem] = compare(path, options.simplifiers)
        for row in models[path.stem]:
            print(row.text(), flush=True)
    if models:
        print(summary(models))


if __name__ == "__main__":
    main()
