"""The runner from a user's point of view: packages on disk, inputs, states, functions, control flow, refusals."""

import json
import shutil
import subprocess
import sys

import coremltools as ct
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

from edgec.diag import EdgecError
from edgec.runners.mil import MilRunner
from tests.sdk.mil_programs import run, save

RANDOM = np.random.default_rng(11)


@pytest.fixture
def package(tmp_path):
    weight = np.arange(48, dtype=np.float32).reshape(4, 12)
    x = np.ones((2, 12), np.float32)
    return save(tmp_path / "model.mlpackage", lambda x: mb.linear(x=x, weight=weight, name="y"), {"x": x})


def code(error):
    return error.value.diagnostics[0].code


def test_it_says_what_it_takes_and_gives(package):
    with MilRunner(package) as runner:
        assert [(f.name, f.shape, f.dtype) for f in runner.inputs] == [("x", (2, 12), "float32")]
        assert [(f.name, f.shape, f.dtype) for f in runner.outputs] == [("y", (2, 4), "float32")]
        y = runner.run({"x": np.ones((2, 12), np.float32)})["y"]
    np.testing.assert_array_equal(y[0], np.arange(48).reshape(4, 12).sum(1))


def test_loading_does_not_import_coremltools_or_torch(package):
    script = (
        "import sys; from edgec.runners.mil import MilRunner; import numpy as np\n"
        f"r = MilRunner({str(package)!r}); r.run({{'x': np.ones((2, 12), np.float32)}})\n"
        "assert 'torch' not in sys.modules and 'coremltools' not in sys.modules\n"
        "import coremltools as ct\n"
        f"ct.models.MLModel({str(package)!r}, skip_model_load=True).get_spec()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "the input `x` is missing"),
        ({"x": np.ones((2, 12), np.float32), "z": np.ones(1)}, "there is no input `z`"),
        ({"x": np.ones((2, 11), np.float32)}, "has shape 2x11, not 2x12"),
    ],
)
def test_inputs_that_do_not_fit(package, inputs, message):
    with pytest.raises(EdgecError, match=message) as error:
        MilRunner(package).run(inputs)
    assert code(error) == "E0107"


def test_a_float_for_an_integer_is_refused(tmp_path):
    x = np.ones(3, np.int32)
    path = save(tmp_path / "model.mlpackage", lambda x: mb.add(x=x, y=1), {"x": x})
    with pytest.raises(EdgecError, match="holds float32, the program takes int32"):
        MilRunner(path).run({"x": x.astype(np.float32)})


def _truncate(package):
    weights = next(package.rglob("weight.bin"))
    weights.write_bytes(weights.read_bytes()[:100])


def _outside(package):
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "../../../etc/passwd"
    (package / "Manifest.json").write_text(json.dumps(manifest))


def _linked_outside(package):
    weights = next(package.rglob("weight.bin"))
    outside = package.parent / "elsewhere.bin"
    shutil.move(weights, outside)
    weights.symlink_to(outside)


BREAKAGES = {
    "no manifest": lambda p: (p / "Manifest.json").unlink(),
    "manifest of another kind": lambda p: (p / "Manifest.json").write_text("[1, 2]"),
    "manifest that is not text": lambda p: (p / "Manifest.json").write_bytes(b"\xff\xfe\x00"),
    "no model": lambda p: next(p.rglob("*.mlmodel")).unlink(),
    "noise for a model": lambda p: next(p.rglob("*.mlmodel")).write_bytes(b"\xff" * 200),
    "an empty model": lambda p: next(p.rglob("*.mlmodel")).write_bytes(b""),
    "half a model": lambda p: next(p.rglob("*.mlmodel")).write_bytes(next(p.rglob("*.mlmodel")).read_bytes()[:300]),
    "no weights": lambda p: next(p.rglob("weight.bin")).unlink(),
    "half the weights": _truncate,
    "a model path outside": _outside,
    "a link to weights outside": _linked_outside,
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_malformed_packages(package, breakage):
    BREAKAGES[breakage](package)
    with pytest.raises(EdgecError) as error:
        MilRunner(package)
    assert code(error) == "E0604"


def test_noise_in_the_model_never_gives_a_traceback(package):
    path = next(package.rglob("*.mlmodel"))
    intact = path.read_bytes()
    x = np.ones((2, 12), np.float32)
    codes = set()
    for _ in range(150):
        noisy = bytearray(intact)
        for _ in range(RANDOM.integers(1, 4)):
            noisy[RANDOM.integers(len(noisy))] = RANDOM.integers(256)
        path.write_bytes(bytes(noisy))
        try:
            MilRunner(package).run({"x": x})
        except EdgecError as error:
            codes.add(error.diagnostics[0].code)
    assert codes <= {"E0107", "E0602", "E0603", "E0604"}
    assert "E0604" in codes


def test_a_package_that_is_not_there(tmp_path):
    with pytest.raises(EdgecError) as error:
        MilRunner(tmp_path / "none.mlpackage")
    assert code(error) == "E0604"


def test_unknown_operations_are_listed_together(package):
    model = ct.models.MLModel(str(package), skip_model_load=True)
    spec = model.get_spec()
    for function in spec.mlProgram.functions.values():
        for block in function.block_specializations.values():
            for name in ("frobnicate", "transmogrify", "frobnicate"):
                block.operations.add(type=name)
    path = next(package.rglob("*.mlmodel"))
    path.write_bytes(spec.SerializeToString())
    with pytest.raises(EdgecError) as error:
        MilRunner(package)
    assert [d.code for d in error.value.diagnostics] == ["E0603", "E0603"]
    assert "frobnicate" in str(error.value)
    assert "transmogrify" in str(error.value)


def test_the_tap_sees_every_value_and_times_add_up(package):
    seen = {}
    runner = MilRunner(package, tap=lambda name, value: seen.setdefault(name, value.copy()), timed=True)
    y = runner.run({"x": np.ones((2, 12), np.float32)})["y"]
    np.testing.assert_array_equal(seen["y"], y)
    assert set(runner.seconds) == {"y"}
    assert runner.seconds["y"] > 0


def test_the_tap_gives_float16_where_the_program_says_so(tmp_path):
    kinds = []
    x = RANDOM.standard_normal((3, 4)).astype(np.float32)
    path = save(tmp_path / "m.mlpackage", lambda x: mb.tanh(x=mb.exp(x=x)), {"x": x}, "float16")
    MilRunner(path, "float16", tap=lambda name, value: kinds.append(value.dtype.name)).run({"x": x})
    assert "float16" in kinds
    kinds.clear()
    MilRunner(path, "float32", tap=lambda name, value: kinds.append(value.dtype.name)).run({"x": x})
    assert set(kinds) == {"float32"}


def test_cond_takes_the_branch():
    def build(x):
        return mb.cond(
            pred=mb.greater(x=mb.reduce_sum(x=x, axes=[0], keep_dims=False), y=0.0),
            _true_fn=lambda: mb.mul(x=x, y=2.0),
            _false_fn=lambda: mb.add(x=x, y=-1.0),
        )

    for x in (np.array([1, 2], np.float32), np.array([-1, -2], np.float32)):
        (got,) = run(build, x=x)
        np.testing.assert_array_equal(got, x * 2 if x.sum() > 0 else x - 1)


def test_while_loop_runs_until_its_condition_fails():
    def build(x):
        return mb.while_loop(
            _cond=lambda i, a: mb.less(x=i, y=5.0),
            _body=lambda i, a: (mb.add(x=i, y=1.0), mb.mul(x=a, y=2.0)),
            loop_vars=(np.float32(0), x),
        )[1]

    x = np.array([1, 3], np.float32)
    np.testing.assert_array_equal(run(build, x=x)[0], x * 32)


def test_states_persist_until_reset(tmp_path):
    class Accumulator(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", torch.zeros(3, dtype=torch.float16))

        def forward(self, x):
            self.total.add_(x)
            return self.total * 1.0

    traced = torch.jit.trace(Accumulator().eval(), torch.zeros(3, dtype=torch.float16), check_trace=False)
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", shape=(3,), dtype=np.float16)],
        states=[ct.StateType(wrapped_type=ct.TensorType(shape=(3,), dtype=np.float16), name="total")],
        minimum_deployment_target=ct.target.iOS18,
    )
    path = tmp_path / "m.mlpackage"
    model.save(str(path))
    runner = MilRunner(path, "float16")
    x = np.array([1, 2, 3], np.float16)
    name = runner.outputs[0].name
    assert [s.name for s in runner.states] == ["total"]
    for times in (1, 2, 3):
        np.testing.assert_array_equal(runner.run({"x": x})[name], x * times)
    runner.reset()
    np.testing.assert_array_equal(runner.run({"x": x})[name], x)


def multiply(factor):
    def build(x):
        return mb.mul(x=x, y=factor, name="y")

    return build


def test_functions_of_one_package(tmp_path):
    x = np.ones(3, np.float32)
    for name, factor in (("double", 2.0), ("triple", 3.0)):
        save(tmp_path / f"{name}.mlpackage", multiply(factor), {"x": x}, target=ct.target.iOS18)
    described = ct.utils.MultiFunctionDescriptor()
    for name in ("double", "triple"):
        described.add_function(str(tmp_path / f"{name}.mlpackage"), src_function_name="main", target_function_name=name)
    described.default_function_name = "double"
    path = tmp_path / "both.mlpackage"
    ct.utils.save_multifunction(described, str(path))
    np.testing.assert_array_equal(MilRunner(path).run({"x": x})["y"], x * 2)
    np.testing.assert_array_equal(MilRunner(path, function="triple").run({"x": x})["y"], x * 3)
    with pytest.raises(EdgecError, match="there is no function `quadruple`"):
        MilRunner(path, function="quadruple")


def test_a_classifier_gives_label_and_probabilities(tmp_path):
    traced = torch.jit.trace(torch.nn.Softmax(-1), torch.zeros(1, 3))
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", shape=(1, 3))],
        classifier_config=ct.ClassifierConfig(["ant", "bee", "cat"]),
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
    )
    model.save(str(tmp_path / "m.mlpackage"))
    runner = MilRunner(tmp_path / "m.mlpackage")
    outputs = runner.run({"x": np.array([[0, 2, 1]], np.float32)})
    assert runner.classes == ("ant", "bee", "cat")
    label, probabilities = (outputs[f.name] for f in runner.outputs)
    assert label.item() == "bee"
    np.testing.assert_allclose(probabilities, torch.softmax(torch.tensor([0.0, 2, 1]), 0).numpy(), rtol=1e-6)


@pytest.mark.parametrize("mode", ["palettize 4", "palettize 6", "int8", "int4 blocks", "sparse"])
def test_compressed_weights(tmp_path, mode):
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 48).eval()
    x = torch.randn(2, 64)
    model = ct.convert(
        torch.jit.trace(layer, x),
        inputs=[ct.TensorType("x", shape=x.shape)],
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS18,
    )
    opt = ct.optimize.coreml
    configs = {
        "palettize 4": (opt.palettize_weights, opt.OpPalettizerConfig(nbits=4, mode="uniform", weight_threshold=1)),
        "palettize 6": (opt.palettize_weights, opt.OpPalettizerConfig(nbits=6, mode="uniform", weight_threshold=1)),
        "int8": (opt.linear_quantize_weights, opt.OpLinearQuantizerConfig(weight_threshold=1)),
        "int4 blocks": (
            opt.linear_quantize_weights,
            opt.OpLinearQuantizerConfig(dtype=types.int4, granularity="per_block", block_size=16, weight_threshold=1),
        ),
        "sparse": (opt.prune_weights, opt.OpThresholdPrunerConfig(threshold=0.05, weight_threshold=1)),
    }
    compress, config = configs[mode]
    small = compress(model, opt.OptimizationConfig(global_config=config))
    small.save(str(tmp_path / "m.mlpackage"))
    with MilRunner(tmp_path / "m.mlpackage") as runner:
        (got,) = runner.run({"x": x.numpy()}).values()
    dense = opt.decompress_weights(small)
    dense.save(str(tmp_path / "dense.mlpackage"))
    (want,) = MilRunner(tmp_path / "dense.mlpackage").run({"x": x.numpy()}).values()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    limit = 0.3 if mode in ("palettize 4", "int4 blocks") else 0.1
    assert np.abs(got - layer(x).detach().numpy()).max() < limit


@pytest.mark.parametrize("size", [1, 5])
def test_flexible_dimensions(tmp_path, size):
    traced = torch.jit.trace(torch.nn.Linear(4, 2).eval(), torch.zeros(3, 4))
    model = ct.convert(
        traced,
        inputs=[ct.TensorType("x", shape=(ct.RangeDim(1, 8, 3), 4))],
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS17,
    )
    model.save(str(tmp_path / "m.mlpackage"))
    (got,) = MilRunner(tmp_path / "m.mlpackage").run({"x": np.ones((size, 4), np.float32)}).values()
    np.testing.assert_allclose(got, traced(torch.ones(size, 4)).detach().numpy(), rtol=1e-5)
