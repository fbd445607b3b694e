"""The commands on artifacts, as a user types them."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from edgec.cli.app import app
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.frontend.request import SourceRequest

MODEL = "tests/models.py:resnet"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small ResNet for both kinds of phones and for a GPU."""
    out = tmp_path_factory.mktemp("build")
    report = build(SourceRequest(MODEL), ["android", "iphone", "rtx"], BuildOptions(out=out), lambda step: None)
    assert not report.errors
    return {b.target.name: b.folder for b in report.built}


def edgec(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32))
    return path


def test_run_executes_every_format_alike(built, image, tmp_path):
    results = {}
    for target, folder in built.items():
        done = edgec("run", folder, "--input", image, "--out", tmp_path / target)
        assert done.exit_code == 0, done.stderr
        (file,) = (tmp_path / target).glob("*.npy")
        results[target] = np.load(file)
    peak = np.abs(results["rtx"]).max()
    assert np.abs(results["android"] - results["rtx"]).max() < 1e-5 * peak
    assert 0 < np.abs(results["iphone"] - results["rtx"]).max() < 1e-2 * peak


def test_run_in_float32_is_nearer(built, image):
    values = [
        json.loads(edgec("run", built[t], "--input", image, "--json", *more).stdout)["outputs"][0]["mean"]
        for t, more in (("rtx", ()), ("iphone", ("--precision", "float32")), ("iphone", ()))
    ]
    assert abs(values[1] - values[0]) < abs(values[2] - values[0])


def test_run_says_what_is_missing_or_wrong(built, tmp_path, image):
    nothing = edgec("run", built["android"])
    assert nothing.exit_code == 2
    assert "input `x`" in nothing.stderr or "is missing" in nothing.stderr
    assert edgec("run", built["android"], "--input", f"wrong={image}").exit_code == 2
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    refused = edgec("run", built["android"], "--input", tmp_path / "objects.npy")
    assert refused.exit_code == 2
    assert "E0107" in refused.stderr
    assert edgec("run", tmp_path / "nowhere").exit_code == 2


def test_check_compares_with_the_source(built):
    done = edgec("check", built["android"], "--against", MODEL)
    assert done.exit_code == 0, done.stderr
    assert "describes this artifact" in done.stdout
    assert re.search(r"accuracy\s+passed by litert", done.stdout)
    other = edgec("check", built["android"], "--against", "tests/models.py:unet_like")
    assert other.exit_code != 0


def test_check_keeps_budgets(built):
    assert edgec("check", built["android"], "--max-bytes", 10).exit_code == 1
    slow = edgec("check", built["android"], "--max-ms", 1e-6)
    assert slow.exit_code == 1
    assert "E0606" in slow.stderr


def test_check_sees_another_artifact(built, tmp_path):
    folder = tmp_path / "android"
    folder.mkdir()
    for file in built["android"].iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content + b"\0" if file.suffix == ".tflite" else content)
    found = edgec("check", folder)
    assert found.exit_code == 1
    assert "E0605" in found.stderr


def test_bench_times_what_runs_here(built):
    found = json.loads(edgec("bench", built["android"], "--runs", 5, "--json").stdout)
    assert found["kind"] == "measured"
    assert 0 < found["least_ms"] <= found["p50_ms"]
    refused = edgec("bench", built["iphone"])
    assert refused.exit_code == 3
    assert "edgec predict" in refused.stderr


def test_predict_tells_the_placement_with_its_sources():
    told = edgec("predict", MODEL, "--target", "android").stdout
    assert "placement (predicted): " in told
    assert all(f"= {delegate}: " in told for delegate in ("gpu", "nnapi", "qnn", "xnnpack"))


def test_predict_names_the_dearest_operators():
    found = json.loads(edgec("predict", MODEL, "--target", "iphone", "--json").stdout)
    assert found["latency"]["kind"] == "predicted"
    assert sum(found["placement"]["units"].values()) == len(found["steps"])
    times = [step["ms"] for step in found["steps"]]
    assert times == sorted(times, reverse=True)
    assert {"conv", "relu"} <= {step["op"] for step in found["steps"]}


def test_inspect_reads_every_format(built):
    for target, operator in (("android", "CONV_2D"), ("iphone", "conv"), ("rtx", "Conv")):
        found = json.loads(edgec("inspect", built[target], "--json").stdout)
        assert found["ops"][operator] > 5
        assert found["inputs"][0]["shape"] == [1, 3, 64, 64]
        manifest = json.loads((built[target] / "manifest.json").read_text())
        assert found["sha256"] == manifest["artifact"]["sha256"]
        assert found["macs"] == manifest["graph"]["macs"] > 0
        assert 0.9 < found["parameters"] / manifest["graph"]["parameters"] < 1.1


def test_inspect_shows_which_rules_fired():
    found = json.loads(edgec("inspect", MODEL, "--rules", "--json").stdout)
    assert any("batch-norm" in rule for rule in found["fired"])


NEARLY = """<ir_version: 10, opset_import: ["" : 18]>
g (float[1,2,3,4] q, float[1,2,4,5] k, float[1,2,5,4] v, bool[1,2,3,5] w) => (float[1,2,3,4] y) {
  i = Constant<value_float = -1e9>()  s = MatMul(q, k)  m = Where(w, s, i)  p = Softmax<axis = -1>(m)  y = MatMul(p, v)
}"""


def test_inspect_says_why_a_rule_did_not_fire(tmp_path):
    import onnx

    path = tmp_path / "nearly.onnx"
    onnx.save(onnx.parser.parse_model(NEARLY), path)
    (missed,) = json.loads(edgec("inspect", path, "--rules", "--json").stdout)["missed"]
    assert missed["rule"] == "recognize-attention"
    assert "may have no key" in missed["reason"]
    shown = edgec("inspect", path, "--rules", "--target", "android").stdout
    assert re.search(r"nearly fired +times", shown)


def test_diff_finds_no_difference_between_formats(built):
    done = edgec("diff", built["rtx"], built["android"])
    assert done.exit_code == 0, done.stdout + done.stderr
    assert int(re.match(r"(\d+) values", done.stdout)[1]) > 5


def test_diff_finds_the_first_difference(built, tmp_path):
    import onnx

    source = next(built["rtx"].glob("*.onnx"))
    model = onnx.load(source)
    convs = [n for n in model.graph.node if n.op_type == "Conv"]
    weight = next(t for t in model.graph.initializer if t.name == convs[3].input[1])
    changed = onnx.numpy_helper.to_array(weight) * 1.5
    weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
    onnx.save(model, tmp_path / "changed.onnx")
    done = edgec("diff", source, tmp_path / "changed.onnx", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["first"] == convs[3].output[0]


def test_check_takes_in_what_a_mac_answered(built, tmp_path):
    folder = built["iphone"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["device_loaded"]["status"] == "never"
    answer = tmp_path / "loaded.json"
    entry = {"path": "resnet.mlpackage", "sha256": manifest["artifact"]["sha256"], "compiled": True, "loaded": True}
    document = {"schema": 1, "system": "macOS 15.2", "when": "2026-01-02", "artifacts": [{**entry, "said": ""}]}
    answer.write_text(json.dumps(document))
    done = edgec("check", folder, "--result", answer)
    assert done.exit_code == 0, done.stderr
    assert "loaded by macOS 15.2 on 2026-01-02" in done.stdout
    told = json.loads((folder / "manifest.json").read_text())
    assert told["device_loaded"] == {"status": "loaded", "system": "macOS 15.2", "when": "2026-01-02", "said": ""}
    document["artifacts"][0] |= {"loaded": False, "said": "Failed to find type of x"}
    answer.write_text(json.dumps(document))
    refused = edgec("check", folder, "--result", answer)
    assert refused.exit_code == 1
    assert "macOS 15.2 refused" in refused.stderr
    assert "Failed to find type of x" in refused.stderr
    document["artifacts"] = []
    answer.write_text(json.dumps(document))
    assert "is not for" in edgec("check", folder, "--result", answer).stderr
