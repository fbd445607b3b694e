"""Weights from files: state dicts and checkpoints, read without executing any code."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.weights import load_weights
from tests.sdk.frontend.torch.small_source import Net, built, refusal, run


def wrapped(form, state):
    """The same tensors in the forms that training scripts save."""
    match form:
        case "deeper":
            return {"model": {"state_dict": state}, "step": np.float64(3)}
        case "another name":
            return {"params_ema": state, "options": argparse.Namespace(lr=0.1)}
        case "two prefixes":
            return {f"model.module.{k}": v for k, v in state.items()}
        case _:
            return {k.removeprefix("net."): v for k, v in state.items()}


def beside(path, location):
    """An ONNX file with one weight stored at `location`."""
    weight = numpy_helper.from_array(np.ones((4, 3), np.float32), "w")
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, [2, 4])],
        [helper.make_tensor_value_info("y", 1, [2, 3])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("form", ["safetensors", "checkpoint", "wrapped"])
def test_weights_beside_code(code, form, tmp_path):
    state = Net().state_dict()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pt")
    if form == "safetensors":
        save_file(state, path)
    elif form == "checkpoint":
        torch.save(state, path)
    else:
        torch.save({"epoch": 3, "state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    prepared = run(f"{code}:model", weights=path)
    weight = prepared.imported.model.graph.initializers
    found = [v.const_value.numpy() for v in weight.values() if v.shape == (2, 4, 1, 1)]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])


@pytest.mark.parametrize("form", ["deeper", "another name", "two prefixes", "the inner module's"])
def test_weights_as_training_scripts_leave_them(code, form, tmp_path):
    state = Net().state_dict()
    torch.save(wrapped(form, state), tmp_path / "w.ckpt")
    prepared = run(f"{code}:model", weights=tmp_path / "w.ckpt")
    found = [
        v.const_value.numpy() for v in prepared.imported.model.graph.initializers.values() if v.shape == (2, 4, 1, 1)
    ]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])


def test_weights_in_several_files(code, tmp_path):
    state = Net().state_dict()
    files = {name: f"{i % 2}.safetensors" for i, name in enumerate(state)}
    for file in set(files.values()):
        save_file({name: state[name] for name in state if files[name] == file}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": files}))
    prepared = run(f"{code}:model", weights=index)
    found = [
        v.const_value.numpy() for v in prepared.imported.model.graph.initializers.values() if v.shape == (2, 4, 1, 1)
    ]
    assert torch.equal(torch.from_numpy(found[0]), state["net.3.weight"])
    index.write_text(json.dumps({"weight_map": {**files, "net.0.bias": "../elsewhere.safetensors"}}))
    assert refusal(f"{code}:model", weights=index).code == "E0207"
    index.write_text("{")
    assert refusal(f"{code}:model", weights=index).code == "E0203"


def test_quantized_weights_are_no_floats(code, tmp_path):
    state = {k: v.to(torch.int8) for k, v in Net().state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    told = refusal(f"{code}:model", weights=tmp_path / "w.safetensors")
    assert told.code == "E0110"
    assert "int8 in the file and float32 in the model" in told.notes[0]


def test_tied_weights_are_in_the_file_once():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    state = {k: v.clone() + 1 for k, v in net.state_dict().items() if k != "1.weight"}
    with tempfile.TemporaryDirectory() as folder:
        save_file(state, Path(folder) / "w.safetensors")
        load_weights(net, Path(folder) / "w.safetensors")
    assert torch.equal(net[1].weight, state["0.weight"])


def test_weights_that_do_not_fit(code, tmp_path):
    state = Net().state_dict()
    state["net.3.bias2"] = state.pop("net.3.bias")
    state["net.0.bias"] = torch.zeros(5)
    save_file(state, tmp_path / "w.safetensors")
    told = refusal(f"{code}:model", weights=tmp_path / "w.safetensors")
    assert told.code == "E0110"
    assert "[5] in the file and [4] in the model" in told.notes[0]
    assert "net.3.bias" in told.help[0]


def test_an_emitted_graph_holds_the_weights_that_lay_beside_its_source(tmp_path: Path) -> None:
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", 1, [2, 4])],
            [helper.make_tensor_value_info("y", 1, [2, 3])],
            [numpy_helper.from_array(weight, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    (tmp_path / "source").mkdir()
    path = tmp_path / "source" / "net.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    options = BuildOptions(out=tmp_path / "out", emit=("onnx",))
    report = build(SourceRequest(str(path)), ["android", "rtx"], options, lambda step: None)
    assert not report.errors
    shutil.rmtree(tmp_path / "source")
    for target in ("android", "rtx"):
        session = onnxruntime.InferenceSession(tmp_path / "out" / "net" / target / "net.onnx")
        x = np.ones((2, 4), dtype=np.float32)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ weight)


@pytest.mark.parametrize("location", ["../w.bin", "/etc/hostname", "a\0b", "a" * 5000, "folder/w.bin", "link.bin"])
def test_weights_outside_the_folder_are_refused(location, tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "model"
    outside.mkdir()
    folder.mkdir()
    (outside / "w.bin").write_bytes(np.ones(12, np.float32).tobytes())
    (folder / "folder").symlink_to(outside)
    (folder / "link.bin").symlink_to(outside / "w.bin")
    beside(folder / "m.onnx", location)
    assert refusal(folder / "m.onnx").code == "E0207"


def test_a_link_to_a_model_finds_the_weights_beside_the_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w.bin").write_bytes(np.ones(12, np.float32).tobytes())
    beside(tmp_path / "model" / "m.onnx", "w.bin")
    (tmp_path / "link.ONNX").symlink_to(tmp_path / "model" / "m.onnx")
    assert run(tmp_path / "link.ONNX").samples


def test_names_that_nothing_has_are_refused(code, tmp_path):
    told = built(code, disable=("fold-batch-nrm",))
    assert (told.code, told.help) == ("E0109", ("did you mean `fold-batch-norm`?",))
    assert built(code, enable=("nothing",)).code == "E0109"
    assert built(code, emit=("text",)).code == "E0101"
    own = BuildOptions(out=tmp_path, disable=("clamped-mish",))  # a rule of this backend's
    assert build(SourceRequest(f"{code}:model"), ["android"], own, lambda step: None).built


@pytest.mark.parametrize("damage", [b"broken", b"\x80\x02u.", b"\x80\x02}(K\x01u."])
def test_checkpoints_that_end_early_are_refused(damage, code, tmp_path):
    (tmp_path / "w.ckpt").write_bytes(damage)
    assert refusal(f"{code}:model", weights=tmp_path / "w.ckpt").code in ("E0203", "E0204")
