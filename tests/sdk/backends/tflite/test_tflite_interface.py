"""What a TFLite file declares: layouts by name, TFLite's metadata, label files, the oldest runtime."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from edgec.artifact.shown import Shown
from edgec.backends.tflite.backend import TFLITE
from edgec.backends.tflite.options import TensorNote, TFLiteMetadata, TFLiteOptions
from edgec.compiler.build import build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.ir.model import OPSET
from edgec.measure.inspection import inspect
from edgec.passes.canonicalize import canonicalize
from edgec.passes.verify import evaluate
from edgec.runners.open import open_runner
from edgec.spec.target import Target, load_target

TEXT = f"""
<ir_version: 10, opset_import: ["" : {OPSET}]>
g (float[1,3,8,6] image, float[1,3,8,6] depth) => (float[1,4,8,6] map, float[1,4] logits)
{{
  both = Add(image, depth)
  map = Conv<pads = [1,1,1,1]>(both, w)
  axes = Constant<value_ints = [2, 3]>()
  logits = ReduceMean<keepdims = 0>(map, axes)
}}
"""
RNG = np.random.default_rng(5)
FEEDS = {name: RNG.standard_normal((1, 3, 8, 6)).astype(np.float32) for name in ("image", "depth")}
LABELS = ("cat", "dog", "bird", "other")
METADATA = TFLiteMetadata(
    description="finds animals",
    author="the zoo",
    inputs=(TensorNote("image", "a photograph", "rgb", (127.5,), (1.0, 2.0, 4.0)),),
    outputs=(TensorNote("logits", "scores", labels=LABELS, label_file="labels.txt"),),
)


def _model() -> ir.Model:
    proto = onnx.parser.parse_model(TEXT)
    weight = np.random.default_rng(6).standard_normal((4, 3, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(weight, "w"))
    return ir.serde.deserialize_model(onnx.shape_inference.infer_shapes(proto))


def _target(options: TFLiteOptions) -> Target:
    return replace(load_target("raspberry-pi"), options=options)


def _build(path: Path, options: TFLiteOptions) -> Path:
    model, target = _model(), _target(options)
    canonicalize(model)
    TFLITE.assemble(TFLITE.lower(TFLITE.legalize(model, target).model, target), target, path)
    return path


def test_layout_by_name_is_known_to_whoever_opens_the_file(tmp_path: Path) -> None:
    options = TFLiteOptions(layouts=(("image", "nhwc"), ("map", "nhwc")))
    path = _build(tmp_path / "m.tflite", options)
    found = inspect(path)
    assert {f.name: f.shape for f in found.inputs} == {"image": (1, 8, 6, 3), "depth": (1, 3, 8, 6)}
    assert {f.name: f.shape for f in found.outputs} == {"map": (1, 8, 6, 4), "logits": (1, 4)}
    expected = evaluate(_model(), FEEDS)
    with open_runner(path, as_source=Shown()) as runner:
        as_source = runner.run(FEEDS)
    with open_runner(path) as runner:
        as_it_is = runner.run({**FEEDS, "image": np.moveaxis(FEEDS["image"], 1, -1)})
    for got in (as_source, {**as_it_is, "map": np.moveaxis(as_it_is["map"], -1, 1)}):
        for name, want in zip(("map", "logits"), expected, strict=True):
            np.testing.assert_allclose(got[name], want, rtol=1e-5, atol=1e-5)


def test_one_name_can_stay_as_the_source_has_it(tmp_path: Path) -> None:
    options = TFLiteOptions(io_layout="nhwc", layouts=(("depth", "source"),))
    shapes = {f.name: f.shape for f in inspect(_build(tmp_path / "m.tflite", options)).inputs}
    assert shapes == {"image": (1, 8, 6, 3), "depth": (1, 3, 8, 6)}


def test_metadata_is_told_and_its_labels_can_be_taken_out(tmp_path: Path) -> None:
    path = _build(tmp_path / "m.tflite", TFLiteOptions(metadata=METADATA))
    told = inspect(path).metadata
    assert told["model description"] == "finds animals"
    assert told["author"] == "the zoo"
    assert told["signature"] == "serving_default"
    assert told["input image"] == "a photograph; RGB image; normalized: (x - [127.5]) / [1, 2, 4]"
    assert told["output logits"] == "scores; labels: labels.txt, 4 lines"
    assert "input depth" not in told
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.read("labels.txt").decode().split() == list(LABELS)
    with open_runner(path) as runner:
        assert set(runner.run(FEEDS)) == {"map", "logits"}


def test_two_files_of_one_model_are_the_same_bytes(tmp_path: Path) -> None:
    options = TFLiteOptions(metadata=METADATA)
    first, second = (_build(tmp_path / name, options).read_bytes() for name in ("a.tflite", "b.tflite"))
    assert first == second


def test_oldest_runtime_follows_the_operators(tmp_path: Path) -> None:
    assert inspect(_build(tmp_path / "m.tflite", TFLiteOptions())).system == "TFLite runtime 1.14.0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (TFLiteOptions(layouts=(("picture", "nhwc"),)), "`options.layouts` names `picture`"),
        (TFLiteOptions(layouts=(("logits", "nhwc"),)), "`logits` has 2 dimensions"),
        (TFLiteOptions(metadata=TFLiteMetadata(inputs=(TensorNote("x"),))), "not an input"),
        (TFLiteOptions(metadata=TFLiteMetadata(outputs=(TensorNote("x"),))), "not an output"),
        (TFLiteOptions(metadata=TFLiteMetadata(inputs=(TensorNote("image", mean=(1.0, 2.0)),))), "3 channels"),
        (TFLiteOptions(metadata=TFLiteMetadata(outputs=(TensorNote("logits", labels=("a",)),))), "1 labels"),
    ],
)
def test_options_that_do_not_fit_the_model(options: TFLiteOptions, message: str) -> None:
    model = _model()
    canonicalize(model)
    with pytest.raises(EdgecError) as told:
        TFLITE.legalize(model, _target(options))
    assert told.value.diagnostics[0].code == "E0106"
    assert message in told.value.diagnostics[0].message


def test_a_target_file_says_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "targets"
    folder.mkdir()
    (folder / "animals.txt").write_text("\n".join(LABELS) + "\n")
    (folder / "app.toml").write_text(
        'name = "app"\nsummary = "an app"\ninherits = "raspberry-pi"\n'
        '[options]\nio_layout = "source"\n[options.layouts]\nimage = "nhwc"\n'
        '[options.metadata]\ndescription = "finds animals"\n'
        '[options.metadata.inputs.image]\ncolor = "rgb"\nmean = 127.5\nstd = [1.0, 2.0, 4.0]\n'
        '[options.metadata.outputs.logits]\nlabels = "animals.txt"\n'
    )
    monkeypatch.chdir(tmp_path)
    options = load_target("app").options
    assert isinstance(options, TFLiteOptions)
    assert options.layouts == (("image", "nhwc"),)
    assert options.metadata.inputs[0] == TensorNote("image", "", "rgb", (127.5,), (1.0, 2.0, 4.0))
    assert options.metadata.outputs[0].labels == LABELS
    (folder / "app.toml").write_text(
        'name = "app"\nsummary = "an app"\ninherits = "raspberry-pi"\n'
        '[options.layouts]\nimage = "hwc"\n[options.metadata.inputs.image]\nstd = 0.0\n'
        '[options.metadata.outputs.logits]\nlabels = "nothing.txt"\n'
    )
    with pytest.raises(EdgecError) as told:
        load_target("app")
    assert len(told.value.diagnostics) == 3


def test_the_command_line_says_it_for_all_or_one(tmp_path: Path) -> None:
    source = tmp_path / "animals.onnx"
    ir.save(_model(), source)
    for asked, depth in (
        (("nhwc",), (1, 8, 6, 3)),
        (("image=nhwc",), (1, 3, 8, 6)),
        (("nhwc", "depth=source"), (1, 3, 8, 6)),
    ):
        options = BuildOptions(out=tmp_path / "out", io_layout=asked)
        built = build(SourceRequest(str(source)), ["raspberry-pi"], options, lambda line: None).built[0]
        assert built.manifest.accuracy.status == "passed"
        shapes = {f.name: f.shape for f in inspect(built.folder / built.manifest.artifact.path).inputs}
        assert shapes == {"image": (1, 8, 6, 3), "depth": depth}
        assert check_artifact(built.folder, SourceRequest(str(source)), Budget()).failures == []
    with pytest.raises(EdgecError, match="TFLite targets"):
        build(SourceRequest(str(source)), ["iphone"], BuildOptions(io_layout=("nhwc",)), lambda line: None)
