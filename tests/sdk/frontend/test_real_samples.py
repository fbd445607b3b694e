"""Real samples on the command line: arrays, archives, images and values, for ONNX files and Python sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import edgec
from edgec.compiler.build import build
from edgec.compiler.options import BuildOptions
from edgec.compiler.samples import sample
from edgec.diag import EdgecError
from edgec.frontend.dispatch import import_source
from edgec.frontend.request import SourceRequest
from edgec.frontend.requested import sources_of
from edgec.frontend.samples.inputs import InputSpec, Known
from edgec.spec.project import ModelRequest, load_project, one_requested
from edgec.spec.ranges import parse_ranges
from edgec.spec.request_options import SourceOptions

CODE = """
import torch
class Gate(torch.nn.Module):
    def forward(self, x, sr):
        if sr == 16000:
            return x * 2
        return x.mean() - x
class Conv(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 3)
    def forward(self, x):
        return self.conv(x)
def gate(): return Gate()
def with_example(): return Gate(), (torch.randn(2, 3), torch.tensor(8000))
def conv(): return Conv()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(name: str, *inputs: str, **more: object) -> SourceRequest:
    return SourceRequest(f"net.py:{name}", tuple(InputSpec.parse(i) for i in inputs), **more)  # type: ignore[arg-type]


def drawn(spec: str, known: Known | None = None) -> list[np.ndarray]:
    return InputSpec.parse(spec).samples(np.random.default_rng(0), known)


@pytest.mark.parametrize("attribute", ["gate", "with_example"])
def test_a_value_of_a_python_source(attribute: str, folder: Path) -> None:
    imported = import_source(asked(attribute, "x=2x3", "sr=16000:int64"))
    assert imported.examples["sr"].shape == ()
    first = sample(imported).samples[0]
    np.testing.assert_allclose(first.expected["output"], 2 * first.inputs["x"])
    assert ("E0107" in [d.code for d in imported.warnings]) == (attribute == "gate")


def test_every_array_of_an_archive_is_judged(folder: Path) -> None:
    arrays = [np.full((2, 3), i + 0.5) for i in range(3)]
    np.savez(folder / "x.npz", *arrays)
    imported = import_source(asked("with_example", "x=@x.npz"))
    assert imported.examples["x"].dtype == np.float32
    assert np.array_equal(imported.examples["x"], arrays[0])
    seen = [s.inputs["x"] for s in sample(imported).samples]
    assert all(any(np.array_equal(a, x) for x in seen) for a in arrays)
    report = build(asked("with_example", "x=@x.npz"), ["android"], BuildOptions(out=folder / "b"), lambda step: None)
    assert report.built[0].manifest.accuracy.status == "passed"


def test_samples_of_the_project_file(folder: Path) -> None:
    for i, rate in enumerate([16000, 8000, 16000]):
        np.savez(folder / f"s{i}.npz", x=np.full((2, 3), i, np.float32), sr=np.int64(rate))
    (folder / "edgec.toml").write_text('source = "net.py:gate"\ntarget = ["android"]\nsamples = "s*.npz"\n')
    project = load_project(Path("edgec.toml"))
    imported = import_source(sources_of(one_requested(ModelRequest(""), project)).main)
    rates = [int(s.inputs["sr"]) for s in sample(imported).samples]
    assert rates[0] == 16000
    assert {16000, 8000} <= set(rates)
    given = ModelRequest("", options=SourceOptions(input=("sr==8000:int64",)))
    said = import_source(sources_of(one_requested(given, project)).main)
    assert int(said.examples["sr"]) == 8000


def test_arrays_fit_or_are_refused(folder: Path) -> None:
    np.save(folder / "a.npy", np.arange(24.0).reshape(4, 2, 3))
    known = Known((2, 3), "float32", fixed=True)
    assert [a.shape for a in drawn("x=@a.npy", known)] == [(2, 3)] * 4
    for code, spec, what in (
        ("E0107", "x=@a.npy", Known((5, 3), "float32", fixed=True)),
        ("E0107", "x=@net.py", known),
        ("E0102", "x=@none.npy", known),
        ("E0107", "x=1.5", Known((), "int64", fixed=True)),
        ("E0107", "x=300", Known((), "uint8", fixed=True)),
    ):
        with pytest.raises(EdgecError) as caught:
            drawn(spec, what)
        assert caught.value.diagnostics[0].code == code
    np.save(folder / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    (folder / "cut.npz").write_bytes(b"PK\x03\x04")
    for name in ("objects.npy", "cut.npz"):
        with pytest.raises(EdgecError, match="contains"):
            drawn(f"x=@{name}", known)


def test_values_are_json(folder: Path) -> None:
    assert drawn("k=[[1,2],[3,4]]:int64")[0].tolist() == [[1, 2], [3, 4]]
    assert drawn("flag=true")[0].dtype == np.bool_
    assert drawn("rate=-0.5")[0].dtype == np.float32
    for text in ("k=[1,[2]]", "k=[1", 'k="a"', "k=@", "k=1y2"):
        with pytest.raises(EdgecError) as caught:
            InputSpec.parse(text)
        assert caught.value.diagnostics[0].code == "E0101"


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((1, 3, 4, 6), (1, 3, 4, 6)),
        ((None, 4, 6, 3), (1, 4, 6, 3)),
        ((2, 1, None, None), (2, 1, 4, 6)),
        ((8, 9), (8, 9)),
        (None, (1, 3, 4, 6)),
    ],
)
def test_pixels_are_arranged(shape: tuple[int | None, ...] | None, found: tuple[int, ...], folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    image.fromarray(pixels).save(folder / "a.png")
    (array,) = drawn("x=@a.png", Known(shape, "float32", fixed=True))
    assert (array.shape, array.dtype) == (found, np.float32)
    if found == (1, 3, 4, 6):
        assert np.array_equal(array[0].transpose(1, 2, 0), pixels)


def test_images_are_spread_on_the_declared_range(folder: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, level in (("a", 0), ("b", 255), ("c", 51)):
        image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(folder / f"{name}.png")
    request = asked("conv", "x=1x3x8x8@[abc].png", ranges=parse_ranges(("x=-1..1",)))
    imported = import_source(request)
    levels = [float(i["x"].mean()) for i in (imported.examples, *imported.extra_samples)]
    np.testing.assert_allclose(levels, [-1, 1, -0.6], rtol=1e-6)
    np.save(folder / "far.npy", np.full((1, 3, 8, 8), 2.0))
    with pytest.raises(EdgecError, match="exceeds its range"):
        import_source(asked("conv", "x=@far.npy", ranges=parse_ranges(("x=-1..1",))))


def test_an_image_without_pillow_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.png").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(EdgecError) as caught:
        drawn("x=@a.png")
    assert caught.value.diagnostics[0].code == "E0502"


def test_inputs_with_different_numbers_of_samples_are_refused(folder: Path) -> None:
    np.savez(folder / "x.npz", *(np.zeros((2, 3)) for _ in range(3)))
    np.savez(folder / "sr.npz", *(np.int64(8000) for _ in range(2)))
    with pytest.raises(EdgecError, match="different numbers of samples"):
        import_source(asked("with_example", "x=@x.npz", "sr=@sr.npz"))


class Scaled(torch.nn.Module):
    def forward(self, x: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """(2, 3) and ()."""
        return x * k


def test_samples_of_a_module_in_memory(tmp_path: Path) -> None:
    example = {"x": torch.zeros(2, 3), "k": torch.tensor(2)}
    further = {"k": torch.tensor(70000), "x": torch.full((2, 3), 7.5)}
    made = edgec.build(Scaled(), example, target="android", out=tmp_path, samples=[further])
    without = edgec.build(Scaled(), example, target="android", out=tmp_path)
    assert not made.failures
    assert made.manifest.accuracy.samples == without.manifest.accuracy.samples + 1
    with pytest.raises(EdgecError, match="sample 1 of input `x`"):
        edgec.build(
            Scaled(), example, target="android", out=tmp_path, samples=[{"x": torch.ones(3, 3), "k": further["k"]}]
        )
    with pytest.raises(EdgecError, match="1 tensors"):
        edgec.build(Scaled(), example, target="android", out=tmp_path, samples=[(torch.ones(2, 3),)])
