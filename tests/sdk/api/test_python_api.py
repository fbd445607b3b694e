"""The Python API as the command line's twin: several targets, every option, and modules that stay as they were."""

import copy
import json
import random
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import edgec
from edgec.api.keywords import BuildKeywords
from edgec.cli.app import app
from edgec.spec.request_options import SourceOptions, TargetOptions

PAGE = Path(__file__).parents[3] / "docs/how-to/python-api.md"
X = (torch.ones(2, 4),)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {"__name__": "page"}
    for i, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {i}", "exec"), names)
    printed = capsys.readouterr().out
    assert "build/Scorer/android/Scorer.tflite" in printed
    assert "('rows', 4)" in printed
    assert re.search(r"error\[E02\d\d\]: ", printed)


OTHERWISE = {"range": "ranges", "set": "settings", "function": "functions"}
"""What Python calls otherwise than the command line."""


def test_every_option_of_the_command_line_is_a_keyword() -> None:
    names = {OTHERWISE.get(f.name, f.name) for f in (*fields(SourceOptions), *fields(TargetOptions))}
    assert names <= BuildKeywords.__annotations__.keys()
    with pytest.raises(TypeError, match="dynamics"):
        edgec.build(nn.ReLU(), X, "rtx", dynamics=["x"])  # type: ignore[call-overload]


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("n", torch.zeros(1))
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n += 1
        return self.drop(x) + self.n


class Caches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cache: torch.Tensor | None = None
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.cache is None:
            self.cache = torch.arange(4.0)
        self.last = x
        return x * self.cache


class Hooked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.linear.register_forward_hook(lambda module, given, result: result * 2)
        self.norm = nn.BatchNorm1d(2)
        self.norm.eval()
        self.linear.weight.requires_grad_(False)
        self.linear.bias.grad = torch.ones(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.linear(x))


class WritesParameters(nn.Module):
    """Refused, after its forward ran several times."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.scale.mul_(0.5)
        return x * self.scale


class Fails(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.trace = [*getattr(self, "trace", []), 1]
        torch.rand(3)
        raise RuntimeError("the user's own")


def state_of(module: nn.Module) -> object:
    parts = {}
    for name, part in module.named_modules():
        held = {k: copy.copy(v) if isinstance(v, dict | list | set) else v for k, v in vars(part).items()}
        tensors = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        values = [(id(t), t.detach().clone().tolist(), t.requires_grad, t.grad is None) for t in tensors]
        plain = {k: {n: id(v) for n, v in h.items()} if isinstance(h, dict) else h for k, h in held.items()}
        parts[name] = (plain, values)
    return parts, torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()


@pytest.mark.parametrize("kind", [Counts, Caches, Hooked, WritesParameters, Fails])
@pytest.mark.parametrize("weights", [False, True])
def test_a_module_stays_as_it_was(kind: type[nn.Module], weights: bool, tmp_path: Path) -> None:
    module = kind()
    module.train()
    more = {}
    if weights:
        state = {name: t + 1 for name, t in module.state_dict().items()}
        if not state:
            pytest.skip("it has none")
        torch.save(state, tmp_path / "w.pt")
        more["weights"] = tmp_path / "w.pt"
    before = state_of(module)
    refused = kind in (WritesParameters, Fails)
    try:
        edgec.build(module, X, "rtx", out=tmp_path / "out", **more)
    except edgec.EdgecError:
        assert refused
    assert state_of(module) == before
    assert torch.is_grad_enabled()


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        now = self.linear(x) + past
        return now.relu(), now


def test_weights_states_and_several_targets(tmp_path: Path) -> None:
    other = Twice()
    torch.save(
        {"model": other.state_dict(), "ema": {k: v + 1 for k, v in other.state_dict().items()}}, tmp_path / "w.pt"
    )
    said: list[str] = []
    made = edgec.build(
        Twice(),
        (torch.randn(1, 4), torch.zeros(1, 4)),
        targets=["rtx", "android"],
        weights=f"{tmp_path / 'w.pt'}:model",
        state=["past=output_1"],
        settings=["accept.max_rel=0.001"],
        out=tmp_path / "out",
        progress=said.append,
    )
    assert list(made) == ["rtx", "android"]
    assert sum("export" in step for step in said) == 1
    x = np.ones((1, 4), np.float32)
    for built in made.values():
        assert built.manifest.states[0].input == "past"
        names = [t.name for t in built.manifest.app.inputs]
        given = dict(zip(names, (x, np.zeros_like(x)), strict=True))
        expected = other(torch.from_numpy(x), torch.zeros(1, 4))[0].detach().numpy()
        assert np.allclose(edgec.run(built, given)[built.manifest.app.outputs[0].name], expected, atol=1e-5)
    weights = tmp_path / "w.pt"
    same = edgec.check(made["rtx"], Twice(), (torch.randn(1, 4), torch.zeros(1, 4)), weights=f"{weights}:model")
    assert not same.failures
    averaged = edgec.check(made["rtx"], Twice(), (torch.randn(1, 4), torch.zeros(1, 4)), weights=f"{weights}:ema")
    assert averaged.failures


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.5


class Doubles(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 + 1


def test_functions_of_one_package(tmp_path: Path) -> None:
    made = edgec.build(
        Halves(),
        (torch.randn(1, 4),),
        "iphone",
        functions={"double": (Doubles(), (torch.randn(1, 4),))},
        settings=["options.minimum_deployment_target=iOS18"],
        out=tmp_path,
    )
    assert [f.name for f in made.manifest.functions] == ["Halves", "double"]
    (found,) = edgec.run(made, {"x": np.full((1, 4), 3, np.float32)}, function="double").values()
    assert found.tolist() == [[7, 7, 7, 7]]
    report = edgec.check(made, Halves(), (torch.randn(1, 4),), functions={"double": (Halves(), (torch.randn(1, 4),))})
    assert [f.code for f in report.failures] == ["E0601"]


def test_where_some_targets_cannot_be_built_the_others_are_handed_over(tmp_path: Path) -> None:
    with pytest.raises(edgec.PartialBuildError) as refused:
        edgec.build(Doubles(), X, targets=["rtx", "jetson-orin"], out=tmp_path)
    assert list(refused.value.built) == ["rtx"]
    assert refused.value.diagnostics[0].code == "E0503"


def test_an_exception_says_everything() -> None:
    with pytest.raises(edgec.EdgecError) as refused:
        edgec.build(Doubles(), X, "androit")
    (told,) = refused.value.diagnostics
    text = str(refused.value)
    assert text.startswith("error[E0104]: there is no target `androit`")
    assert all(part in text for part in (*told.notes, *told.help))
    with pytest.raises(edgec.EdgecError, match=r"--> .*test_python_api\.py:\d+"):
        edgec.build(Fails(), X, "rtx")


def test_results_show_themselves(tmp_path: Path) -> None:
    made = edgec.build(Doubles(), X, targets=["rtx", "android"], out=tmp_path)
    built = made["android"]
    assert re.fullmatch(rf"<{tmp_path}/Doubles/android/Doubles.tflite for android, passed \(rel .*\)>", repr(built))
    assert "<td" in built._repr_html_()
    assert "float32[2, 4]" in built._repr_html_()
    report = edgec.check(built, Halves(), X)
    assert "error[E0601]" in repr(report)
    assert "error[E0601]" in report._repr_html_()
    found = edgec.diff(made["rtx"], made["android"])
    assert "values are in both artifacts" in repr(found)
    assert "<table>" in found._repr_html_()


def test_a_text_means_what_it_means_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same artifact, and but for the folder the same manifest."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("import torch\ntorch.manual_seed(0)\nmodel = torch.nn.Linear(4, 2)\n")
    made = edgec.build("net.py:model", target="rtx", input=["input=2x4"], out="first")
    words = ["build", "net.py:model", "--target", "rtx", "--input", "input=2x4", "--out", "second", "-q"]
    assert CliRunner().invoke(app, words).exit_code == 0
    first, second = (json.loads(Path(f, "model/rtx/manifest.json").read_text()) for f in ("first", "second"))
    assert first == second
    assert made.manifest.provenance.command[:3] == ("edgec", "build", "net.py:model")
