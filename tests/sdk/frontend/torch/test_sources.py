"""References to sources, their inputs and outputs, and common mistakes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

import edgec
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.samples.inputs import InputSpec, match_specs
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from tests.sdk.frontend.torch.small_source import CODE, Net, refusal, run

FORMS = """
import torch
from code import Net

class Sized(Net):
    def __init__(self, size):
        super().__init__()

scripted = torch.jit.script(Net().eval())

def traced():
    return torch.jit.trace(Net().eval(), torch.randn(1, 3, 8, 8)), {"x": torch.randn(1, 3, 8, 8)}

def program():
    return torch.export.export(Net().eval(), (torch.randn(1, 3, 8, 8),))
"""


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


class Structured(nn.Module):
    def forward(self, pair, table, rest):
        total = pair.left + pair.right + table["a"] * table["b"]["c"]
        return {"sum": total, "parts": Pair(total * 2, rest[1] - 1), "all": [total, rest[0]]}


class Twice(nn.Module):
    def forward(self, x, y):
        return x * 2 + y


def test_what_code_may_name(tmp_path):
    (tmp_path / "parts.py").write_text(CODE)
    (tmp_path / "forms.py").write_text(FORMS.replace("from code", "from parts"))
    specs = (InputSpec("x", (1, 3, 8, 8), "float32"),)
    assert run(f"{tmp_path}/forms.py:scripted", inputs=specs).samples
    assert run(f"{tmp_path}/forms.py:traced").samples
    assert [v.name for v in run(f"{tmp_path}/forms.py:program").model.graph.inputs] == ["x"]
    told = refusal(f"{tmp_path}/forms.py:Sized", inputs=specs)
    assert (told.code, told.message) == ("E0103", f"`{tmp_path}/forms.py:Sized` needs arguments: size")
    assert refusal(f"{tmp_path}/forms.py:").code == "E0103"


def test_structures_in_and_out_keep_their_names():
    def draw():
        return torch.randn(2, 3)

    inputs = (Pair(draw(), draw()), {"a": draw(), "b": {"c": draw()}}, [draw(), (draw())])
    request = ExportRequest("m", SourceId("module", "t", ""), Structured(), inputs)
    model = export_module(request).model
    assert [v.name for v in model.graph.inputs] == [
        "pair_left", "pair_right", "table_a", "table_b_c", "rest_0", "rest_1",
    ]  # fmt: skip
    assert [v.name for v in model.graph.outputs] == ["sum", "parts_left", "parts_right", "all_0", "all_1"]


def test_a_transformer_with_a_mask_asks_no_data():
    """torch compares the mask with a causal one, a decision on data; applying the mask needs none."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            return self.net(source, target, tgt_mask=mask)

    inputs = (torch.randn(1, 5, 8), torch.randn(1, 4, 8))
    request = ExportRequest("net", SourceId("module", "net", ""), Net().eval(), inputs)
    prepare_imported(export_module(request), BuildOptions(), lambda step: None)


def test_a_transformer_encoder_with_both_masks(tmp_path: Path) -> None:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True)
            self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

        def forward(self, x: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
            mask = torch.nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.layers(x, mask=mask, src_key_padding_mask=padding)

    padding = torch.tensor([[False] * 5, [False, False, True, True, True]])
    built = edgec.build(Encoder().eval(), (torch.randn(2, 5, 16), padding), target="android", out=tmp_path)
    assert built.manifest.accuracy.status == "passed", built.failures


def test_samples_in_the_place_of_a_models_own(tmp_path):
    size = torch.export.Dim("n", min=2, max=8)
    program = torch.export.export(Net().eval(), (torch.randn(3, 3, 8, 8),), dynamic_shapes={"x": {0: size}})
    torch.export.save(program, tmp_path / "m.pt2")
    prepared = run(tmp_path / "m.pt2", inputs=(InputSpec("x", (5, 3, 8, 8), "float32"),))
    assert prepared.samples[0].inputs["x"].shape == (5, 3, 8, 8)


def test_one_tensor_for_two_inputs_is_two_inputs():
    example = torch.randn(3)
    request = ExportRequest("m", SourceId("module", "m", ""), Twice(), (example, example))
    model = prepare_imported(export_module(request), BuildOptions(), lambda step: None).model
    assert [bool(list(v.uses())) for v in model.graph.inputs] == [True, True]


def test_inputs_that_are_slips():
    with pytest.raises(EdgecError, match="too large"):
        InputSpec.parse("x=99999999999x4")
    with pytest.raises(EdgecError, match="given twice"):
        match_specs(["x"], [InputSpec.parse("x=2"), InputSpec.parse("x=3")])


@pytest.mark.parametrize("equation", ["....", "i..j,jk", "ij,jk-", "\tij,jk", "b^k,kj"])
def test_what_is_no_equation_is_refused(equation, tmp_path):
    """onnx's shape inference does not terminate on these."""
    graph = helper.make_graph(
        [helper.make_node("Einsum", ["x", "x"], ["y"], equation=equation)],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 2])],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )
    assert refusal(path).code == "E0301"


def test_an_einsum_of_two_element_types_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Einsum", ["x", "w"], ["y"], equation="bij,jk->bik")],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 2, 3])],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.ones((3, 4), np.int32), "w")],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    )
    assert refusal(path).code.startswith(("E02", "E03"))
