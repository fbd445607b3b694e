"""Names that Core ML does not accept, from the source to the package and back."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from typer.testing import CliRunner

import edgec
from edgec.artifact.manifest import read_manifest
from edgec.cli.app import app
from edgec.ledger.coreml.identifiers import is_identifier
from edgec.runners.mil.package import open_package
from edgec.runners.mil.proto import model_pb2
from edgec.runners.mil.runner import MilRunner
from tests.conformance.runtimes.loaders import by_coremltools

INPUTS, OUTPUTS = ["images:0", "tensor", "é/1"], ["out:0", "out_0", "tensor"]


def identifiers(path: Path) -> list[str]:
    """All names that a package's program and interface define."""
    model = model_pb2().Model.FromString(open_package(path).model.read_bytes())
    found = [f.name for d in (model.description, *model.description.functions) for f in (*d.input, *d.output, *d.state)]

    def inside(block) -> None:
        found.extend(v.name for v in block.inputs)
        for op in block.operations:
            found.extend(v.name for v in op.outputs)
            found.append(op.attributes["name"].immediateValue.tensor.strings.values[0])
            for nested in op.blocks:
                inside(nested)

    for name, function in model.mlProgram.functions.items():
        found += [name, *(v.name for v in function.inputs)]
        for block in function.block_specializations.values():
            inside(block)
    return found


def odd_file(path: Path) -> Path:
    node = helper.make_node
    nodes = [node("Mul", ["images:0", "0"], ["a.b"]), node("Add", ["a.b", "tensor"], ["out:0"])]
    nodes += [node("Neg", ["out:0"], ["out_0"]), node("Sub", ["a.b", "é/1"], ["a_b"]), node("Abs", ["a_b"], ["list"])]
    nodes += [node("Add", ["list", "tensor"], ["2"]), node("Relu", ["2"], ["bool"])]
    shown = [*OUTPUTS[:2], "bool"]
    infos = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 40)) for n in names] for names in (INPUTS, shown)]
    weight = helper.make_tensor("0", TensorProto.FLOAT, (40,), np.linspace(-1, 1, 40))
    graph = helper.make_graph(nodes, "0-odd graph", *infos, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_an_odd_file_becomes_a_package_of_identifiers(tmp_path: Path) -> None:
    file = odd_file(tmp_path / "odd.onnx")
    done = CliRunner().invoke(app, ["build", str(file), "--target", "iphone", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "warning[E0402]" in done.stderr
    assert "`images:0` is `images_0`" in done.stderr
    folder = tmp_path / "odd/iphone"
    names = identifiers(folder / "odd.mlpackage")
    assert all(map(is_identifier, names)), [n for n in names if not is_identifier(n)]
    told = read_manifest(folder / "manifest.json").names
    assert told.interface == {
        "images_0": "images:0", "tensor_": "tensor", "__1": "é/1", "out_0_1": "out:0", "bool_": "bool",
    }  # fmt: skip
    assert told.values["list_"] == "list"
    with MilRunner(folder / "odd.mlpackage") as runner:
        assert [f.name for f in runner.inputs] == INPUTS
        given = {name: np.full((1, 40), i + 1, np.float32) for i, name in enumerate(INPUTS)}
        found = runner.run(given)
    np.testing.assert_allclose(found["out:0"], np.linspace(-1, 1, 40)[None] + 2, rtol=2e-3, atol=2e-3)
    assert by_coremltools(folder / "odd.mlpackage") == "ok"
    same = CliRunner().invoke(app, ["diff", str(folder), str(folder)])
    assert same.exit_code == 0, same.output
    assert "list" in CliRunner().invoke(app, ["diff", str(folder), str(folder), "--json"]).stdout


class Looping(torch.nn.Module):
    """A loop that ends by data, states, and arguments named like MIL keywords."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("state", torch.zeros(1, 4))

    def forward(self, tensor: torch.Tensor, bool: torch.Tensor) -> torch.Tensor:
        while tensor.sum() < 8:
            tensor = tensor * 1.5 + 0.5
        self.state.add_(tensor)
        return self.state * bool


def test_blocks_states_and_functions_have_identifiers(tmp_path: Path) -> None:
    module, given = Looping().eval(), (torch.rand(1, 4), torch.rand(1, 4))
    first, second = (
        edgec.build(module, given, "iphone-ios18", out=tmp_path / n, settings=["accept.min_psnr_db=30"], name="func")
        for n in "ab"
    )
    assert first.manifest.accuracy.status == "passed", first.failures
    path = first.folder / first.manifest.artifact.path
    assert by_coremltools(path) == "ok"
    names = identifiers(path)
    assert all(map(is_identifier, names)), [n for n in names if not is_identifier(n)]
    assert first.manifest.names.interface.items() >= {"state_": "state", "tensor_": "tensor", "bool_": "bool"}.items()
    assert first.manifest.artifact.sha256 == second.manifest.artifact.sha256
