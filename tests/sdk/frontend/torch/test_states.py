"""Models that keep state between runs: buffers updated in place, and pairs given by the user."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from edgec.compiler.build import Built, build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.options import BuildOptions
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from edgec.frontend.samples.inputs import InputSpec
from edgec.runners.litert import LiteRTRunner
from edgec.runners.mil.runner import MilRunner

MODELS = """
import torch

class Decoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = torch.nn.Linear(16, 48)
        self.register_buffer("k", torch.zeros(1, 2, 12, 8))
        self.register_buffer("v", torch.zeros(1, 2, 12, 8))

    def heads(self, x):
        return self.qkv(x).reshape(1, 1, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)

    def attend(self, q, position):
        mask = (torch.arange(12) <= position)[None]
        y = torch.nn.functional.scaled_dot_product_attention(q, self.k, self.v, attn_mask=mask)
        return y.transpose(1, 2).flatten(2)

class Put(Decoder):
    def forward(self, x, position):
        q, k, v = self.heads(x)
        self.k[:, :, position] = k
        self.v.index_copy_(2, position, v)
        return self.attend(q, position)

class Window(Decoder):
    def forward(self, x, position):
        q, k, v = self.heads(x)
        p = position.item()
        self.k[:, :, p : p + 1] = k
        self.v[:, :, p : p + 1] = v
        return self.attend(q, position)

class Filling(Decoder):
    def __init__(self):
        super().__init__()
        self.register_buffer("length", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        q, k, v = self.heads(x)
        self.k.index_copy_(2, self.length.view(1), k)
        self.v[:, :, self.length : self.length + 1] = v
        result = self.attend(q, self.length)
        self.length += 1
        return result

class Rolling(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.zeros(1, 5, 4))
        self.head = torch.nn.Linear(20, 3)

    def forward(self, x):
        self.window = torch.cat([self.window[:, 1:], x[:, None]], 1)
        return self.head(self.window.flatten(1))

class Primed(Rolling):
    def __init__(self):
        super().__init__()
        self.window.fill_(1.0)

class Average(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("runs", torch.zeros(1))
        self.register_buffer("last", torch.zeros(3))
        self.layer = torch.nn.Linear(3, 3)

    def forward(self, x):
        y = self.layer(x)
        self.mean.mul_(0.999).add_(y, alpha=0.001)
        self.runs += 1
        result = self.last + self.mean / self.runs
        self.last.copy_(y)
        return result

class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_buffer("mean", torch.ones(3))

    def forward(self, x):
        self.steps += 1
        self.mean.mul_(0.5).add_(x)
        return self.mean / self.steps

class Written(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.ones(3))

    def forward(self, x):
        self.table.copy_(torch.arange(3))
        return x * self.table

class Functional(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.Linear(8, 4)

    def forward(self, x, past):
        h = torch.tanh(self.cell(torch.cat([x, past], 1)))
        return {"y": h * 2, "present": h}

def made(kind, *inputs):
    torch.manual_seed(0)
    return kind().eval(), inputs

put = lambda: made(Put, torch.randn(1, 1, 16), torch.tensor([3]))
window = lambda: made(Window, torch.randn(1, 1, 16), torch.tensor([3]))
filling = lambda: made(Filling, torch.randn(1, 1, 16))
rolling = lambda: made(Rolling, torch.randn(1, 4))
primed = lambda: made(Primed, torch.randn(1, 4))
average = lambda: made(Average, torch.randn(3))
counting = lambda: made(Counting, torch.randn(3))
written = lambda: made(Written, torch.randn(3))
functional = lambda: made(Functional, torch.randn(1, 4), torch.randn(1, 4))
"""

IOS18 = ("options.minimum_deployment_target=iOS18",)


def built(name: str, target: str, folder: Path, *settings: str, states: tuple[tuple[str, str], ...] = ()) -> Built:
    file = folder / "models.py"
    file.write_text(MODELS)
    options = BuildOptions(out=folder / "out", settings=settings)
    report = build(SourceRequest(f"{file}:{name}", states=states), [target], options, lambda step: None)
    if report.errors:
        raise EdgecError(report.errors)
    (found,) = report.built
    assert found.manifest.accuracy.status == "passed", found.failures
    told = [d for d in report.warnings if d.code == "E0212"]
    assert bool(told) == any(s.kept == "app" for s in found.manifest.states)
    return found


def module(name: str) -> torch.nn.Module:
    namespace: dict[str, object] = {}
    exec(MODELS, namespace)
    return namespace[name]()[0]  # type: ignore[operator]


def steps(name: str, count: int) -> list[dict[str, np.ndarray]]:
    """Inputs of consecutive runs; positions go forward and back, and count from the end if the model allows it."""
    rng = np.random.default_rng(5)
    if name == "rolling":
        return [{"x": rng.standard_normal((1, 4)).astype(np.float32)} for _ in range(count)]
    if name == "filling":
        return [{"x": rng.standard_normal((1, 1, 16)).astype(np.float32)} for _ in range(count)]
    positions = [0, 1, 7, 1, 11, -2 if name == "window" else 2][:count]
    xs = [rng.standard_normal((1, 1, 16)).astype(np.float32) for _ in positions]
    return [{"x": x, "position": np.array([p])} for x, p in zip(xs, positions, strict=True)]


@pytest.mark.parametrize("name", ["put", "window", "rolling"])
def test_a_package_keeps_its_states_over_several_runs(name: str, tmp_path: Path) -> None:
    found = built(name, "iphone", tmp_path, *IOS18)
    assert {s.kept for s in found.manifest.states} == {"artifact"}
    ops = found.manifest.graph.ops
    assert ops["read_state"] == ops["coreml_update_state"] == len(found.manifest.states)
    assert ("slice_update" in ops) == (name == "put")
    eager = module(name)
    with MilRunner(found.folder / found.manifest.artifact.path, "float16") as runner, torch.no_grad():
        assert [s.name for s in runner.states] == [s.input for s in found.manifest.states]
        for inputs in steps(name, 6):
            wanted = eager(**{n: torch.from_numpy(v.copy()) for n, v in inputs.items()}).numpy()
            got = runner.run({n: v.astype(np.int32) if v.dtype == np.int64 else v for n, v in inputs.items()})
            np.testing.assert_allclose(got["output"], wanted, rtol=1e-2, atol=5e-3)
        for state, value in runner.state_values().items():
            np.testing.assert_allclose(value, eager.get_buffer(state).numpy(), rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize("name", ["put", "window", "filling", "rolling", "counting"])
def test_elsewhere_the_app_hands_states_on(name: str, tmp_path: Path) -> None:
    found = built(name, "android", tmp_path)
    eager = module(name)
    held = {s.input: eager.get_buffer(s.input).numpy().copy() for s in found.manifest.states}
    rng = np.random.default_rng(5)
    sequence = (
        [{"x": rng.standard_normal(3).astype(np.float32)} for _ in range(4)] if name == "counting" else steps(name, 6)
    )
    with LiteRTRunner(found.folder / found.manifest.artifact.path) as runner, torch.no_grad():
        for inputs in sequence:
            wanted = eager(**{n: torch.from_numpy(v.copy()) for n, v in inputs.items()}).numpy()
            results = runner.run({**inputs, **held})
            np.testing.assert_allclose(results["output"], wanted, rtol=1e-4, atol=1e-5)
            held = {s.input: results[s.output] for s in found.manifest.states}


def test_a_counter_is_handed_on_beside_states_that_the_package_keeps(tmp_path: Path) -> None:
    found = built("filling", "iphone", tmp_path, *IOS18)
    assert {s.input: s.kept for s in found.manifest.states} == {"k": "artifact", "v": "artifact", "length": "app"}
    eager, length = module("filling"), np.zeros((), np.int32)
    with MilRunner(found.folder / found.manifest.artifact.path, "float16") as runner, torch.no_grad():
        for inputs in steps("filling", 4):
            wanted = eager(**{n: torch.from_numpy(v.copy()) for n, v in inputs.items()}).numpy()
            got = runner.run({**inputs, "length": length})
            np.testing.assert_allclose(got["output"], wanted, rtol=1e-2, atol=5e-3)
            length = got["length_out"]


def test_what_core_ml_cannot_hold_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(EdgecError) as refused:
        built("primed", "iphone", tmp_path, *IOS18)
    told = refused.value.diagnostics
    assert [d.notes[-1] for d in told] == ["rejected by `state-initial-value`"]
    assert all("options.states=interface" in d.help[0] for d in told)
    with pytest.raises(EdgecError) as refused:
        built("put", "iphone", tmp_path, *IOS18, "numerics.compute=float32")
    assert "rejected by `state-float32`" in refused.value.diagnostics[0].notes


@pytest.mark.parametrize("settings", [(), IOS18])
def test_sums_are_carried_on_in_float32(settings: tuple[str, ...], tmp_path: Path) -> None:
    """In float16, a counter stops at 2048, an average where its increment is half a unit in the last place."""
    found = built("average", "iphone", tmp_path, *settings)
    kept = {s.input: s.kept for s in found.manifest.states}
    assert kept == {"mean": "app", "runs": "app", "last": "artifact" if settings else "app"}
    held = {
        s.input: np.zeros(1 if s.input == "runs" else 3, np.float32) for s in found.manifest.states if s.kept == "app"
    }
    held.update({"mean": np.full(3, 0.9, np.float32), "runs": np.full(1, 2048.0, np.float32)})
    after = {s.input: s.output for s in found.manifest.states if s.input in held}
    x, eager = torch.ones(3), module("average")
    eager.mean.fill_(0.9)
    eager.runs.fill_(2048.0)
    with MilRunner(found.folder / found.manifest.artifact.path, "float16") as runner, torch.no_grad():
        for _ in range(3):
            wanted = eager(x).numpy()
            results = runner.run({"x": x.numpy(), **held})
            held = {name: results[output] for name, output in after.items()}
            np.testing.assert_allclose(results["output"], wanted, rtol=1e-2, atol=1e-3)
        np.testing.assert_allclose(held["mean"], eager.mean.numpy(), rtol=1e-6, atol=2e-6)
        np.testing.assert_array_equal(held["runs"], eager.runs.numpy())


def test_a_buffer_that_is_written_before_it_is_read_is_no_state(tmp_path: Path) -> None:
    assert built("written", "iphone", tmp_path, *IOS18).manifest.states == ()


def test_a_pair_of_input_and_output_is_a_state_where_the_user_says_so(tmp_path: Path) -> None:
    pairs = (("past", "present"),)
    found = built("functional", "iphone", tmp_path, *IOS18, states=pairs)
    assert [t.name for t in found.manifest.inputs] == ["x"]
    assert [t.name for t in found.manifest.outputs] == ["y"]
    path = found.folder / found.manifest.artifact.path
    report = check_artifact(path, SourceRequest(f"{tmp_path}/models.py:functional"), Budget())
    assert not report.failures, report.failures
    with pytest.raises(EdgecError, match="not an output of the model"):
        built("functional", "iphone", tmp_path, *IOS18, states=(("past", "presen"),))
    with pytest.raises(EdgecError, match="not an input of the model"):
        built("functional", "iphone", tmp_path, *IOS18, states=(("y", "present"),))


@pytest.mark.parametrize("suffix", ["pt2", "pt"])
def test_saved_programs_keep_their_states(suffix: str, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    path = tmp_path / f"counting.{suffix}"
    file = tmp_path / "models_of_counting.py"
    file.write_text(MODELS)
    spec = importlib.util.spec_from_file_location("models_of_counting", file)
    assert spec is not None
    assert spec.loader is not None
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    net, inputs = models.counting()
    if suffix == "pt2":
        torch.export.save(torch.export.export(net, inputs), path)
    else:
        torch.jit.script(net).save(str(path))
    specs = (InputSpec("x", (3,), "float32"),) if suffix == "pt" else ()
    report = build(SourceRequest(str(path), specs), ["android"], BuildOptions(out=tmp_path / "out"), lambda step: None)
    assert not report.errors, report.errors
    assert len(report.built[0].manifest.states) == 2
    assert report.built[0].manifest.accuracy.status == "passed"
