"""TensorRT's builder in a separate process: its refusals and its crashes become diagnostics."""

import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn, randn

import edgec
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec


def refused(module: nn.Module, out: Path) -> tuple[str, str]:
    with pytest.raises(EdgecError) as raised:
        edgec.build(module, (randn(1, 3, 8, 8),), target="rtx", out=out)
    (found,) = raised.value.diagnostics
    return found.code, "\n".join([found.message, *found.notes])


@pytest.mark.parametrize(
    ("script", "how"), [("kill -SEGV $$", "signal 11"), ("echo broken >&2; exit 3", "exit code 3")]
)
def test_a_crash_of_the_builder_is_a_diagnostic(script: str, how: str, tmp_path: Path, monkeypatch) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    code, said = refused(nn.Conv2d(3, 4, 3), tmp_path / "out")
    assert code == "E0501"
    assert "TensorRT's builder crashed" in said
    assert how in said
    assert not list((tmp_path / "out").rglob("*.engine"))


def test_vectors_are_taken(tmp_path: Path) -> None:
    """For vectors, the parser supports neither softmax nor the position of an extreme."""

    class Vector(nn.Module):
        def forward(self, x):
            return x.softmax(0), x.argmax()

    built = edgec.build(Vector().eval(), (randn(7),), target="rtx", out=tmp_path, name="m")
    assert not built.failures


def test_positions_of_maxima_are_refused_by_label(tmp_path: Path) -> None:
    code, said = refused(nn.MaxPool2d(2, return_indices=True), tmp_path)
    assert code == "E0412"
    assert "maxpool-indices" in said


def test_counts_of_numbers(tmp_path: Path) -> None:
    """Counts of computed values; a size that depends on an input is refused by label."""

    class Counts(nn.Module):
        def forward(self, x):
            return torch.bincount(x.argmax(1), minlength=5)

    assert not edgec.build(Counts().eval(), (randn(7, 5),), target="rtx", out=tmp_path, name="m").failures
    with pytest.raises(EdgecError) as raised:
        edgec.build(Bins().eval(), (torch.tensor([3, 1, 3]),), target="rtx", out=tmp_path, name="n")
    assert "rejected by `shape-input`" in raised.value.diagnostics[0].notes


class Bins(nn.Module):
    def forward(self, x):
        return torch.bincount(x, minlength=3)


def saved(path: Path, node: onnx.NodeProto, inputs: list[onnx.ValueInfoProto], output: onnx.ValueInfoProto) -> Path:
    graph = helper.make_graph([node], "g", inputs, [output])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def refused_file(path: Path, out: Path, *values: str) -> tuple[str, ...]:
    request = SourceRequest(str(path), tuple(InputSpec.parse(value) for value in values))
    report = build(request, ["rtx"], BuildOptions(out=out), lambda step: None)
    (found,) = report.errors
    return found.notes


def test_inputs_that_decide_sizes_and_suppression_are_refused_by_label(tmp_path: Path) -> None:
    kind, info = TensorProto, helper.make_tensor_value_info
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    inputs = [info("x", kind.FLOAT, [2, 6]), info("s", kind.INT64, [2])]
    reshape = saved(tmp_path / "reshape.onnx", node, inputs, info("y", kind.FLOAT, None))
    assert "rejected by `shape-input`" in refused_file(reshape, tmp_path / "a", "s=[3,4]")
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores", "most"], ["y"])
    inputs = [
        info("boxes", kind.FLOAT, [1, 9, 4]),
        info("scores", kind.FLOAT, [1, 2, 9]),
        info("most", kind.INT64, [1]),
    ]
    boxes = saved(tmp_path / "boxes.onnx", node, inputs, info("y", kind.INT64, None))
    assert "rejected by `nonmaxsuppression-no-runner`" in " ".join(refused_file(boxes, tmp_path / "b", "most=[3]"))
