"""Recurrences over many steps in LiteRT: loops over blocks, and no state that persists between invocations."""

import numpy as np
import pytest
import torch

from edgec.backends.table import backend
from edgec.compiler.build import compile_target
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.measure.fidelity import compare_all
from edgec.spec.target import load_target

STEPS = 600


class Stacked(torch.nn.Module):
    """All steps of the last layer and the states of all layers, from given states."""

    def __init__(self, kind, **options):
        super().__init__()
        torch.manual_seed(4)
        self.inner = getattr(torch.nn, kind)(6, 8, batch_first=True, **options)

    def forward(self, x, h, c):
        steps, state = self.inner(x, (h, c) if isinstance(self.inner, torch.nn.LSTM) else h)
        return (steps, *state) if isinstance(state, tuple) else (steps, state, c)


@pytest.mark.parametrize(("kind", "options"), [
    ("LSTM", {"num_layers": 2}), ("LSTM", {"bidirectional": True}), ("GRU", {"bidirectional": True}), ("RNN", {})
])  # fmt: skip
def test_many_steps(kind, options, tmp_path):
    net = Stacked(kind, **options).eval()
    layers = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    example = (torch.randn(2, STEPS, 6), torch.randn(layers, 2, 8), torch.randn(layers, 2, 8))
    prepared = prepare_imported(
        export_module(ExportRequest("net", SourceId("module", "test", ""), net, example)),
        BuildOptions(),
        lambda s: None,
    )
    target = load_target("android", ("numerics.weights=float32",))
    built = compile_target(prepared, target, BuildOptions(out=tmp_path), lambda s: None)
    ops = built.manifest.graph.ops
    assert built.manifest.accuracy.status == "passed"
    assert ops["WHILE"] == layers
    assert sum(ops.values()) < 1000 * layers  # unrolled, they are 8000 each
    with backend("tflite").open(built.folder / built.manifest.artifact.path, target) as runner:
        other = {n: a + 1 for n, a in prepared.imported.examples.items()}
        for inputs in (prepared.imported.examples, other, {n: a * np.nan for n, a in other.items()}, other, other):
            expected, found = prepared.imported.reference.run(inputs), runner.run(inputs)
            if np.isnan(next(iter(inputs.values()))).any():
                continue  # such an invocation must not affect the next one
            assert max(d.max_rel for d in compare_all(expected, found)) < 1e-4
