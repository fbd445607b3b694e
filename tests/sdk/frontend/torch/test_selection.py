"""Results with a data-dependent number of rows: samples differ in size, some have none, and the artifact agrees."""

import functools

import numpy as np
import onnx
import pytest

from edgec.artifact.manifest import read_manifest
from edgec.backends.table import backend
from edgec.compiler.build import compile_target
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare, prepare_imported
from edgec.frontend.imported import SourceId
from edgec.frontend.request import SourceRequest
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.measure.fidelity import compare_all
from edgec.spec.target import load_target
from tests import selecting

SINGLE = ("numerics.compute=float32", "numerics.weights=float32")


def follows(prepared, target, tmp_path, draw):
    """Build, and compare the artifact with the source on new inputs; returns the sizes that occurred."""
    built = compile_target(prepared, target, BuildOptions(out=tmp_path), lambda step: None)
    assert built.manifest.accuracy.status == "passed"
    sizes = set()
    with backend(target.backend).open(built.folder / built.manifest.artifact.path, target) as runner:
        for seed in range(12):
            inputs = draw(np.random.default_rng(seed))
            expected = prepared.imported.reference.run(inputs)
            sizes.add(tuple(v.shape for v in expected.values()))
            assert max(d.max_rel for d in compare_all(expected, runner.run(inputs))) < 1e-4, seed
    return sizes


@functools.cache
def prepared(name):
    module, examples = selecting.net(name)
    request = ExportRequest(name, SourceId("module", "test", ""), module, examples)
    return prepare_imported(export_module(request), BuildOptions(), lambda step: None)


@pytest.mark.parametrize("target", ["android", "iphone"])
@pytest.mark.parametrize("name", selecting.MODELS)
def test_selected_rows(name, target, tmp_path):
    source = prepared(name)

    def draw(rng):
        shift = np.float32(rng.choice([0, 0, 0, -9 if name != "mean-of-selected" else 0]))
        return {n: rng.standard_normal(a.shape).astype(np.float32) + shift for n, a in source.imported.examples.items()}

    sizes = follows(source, load_target(target, SINGLE), tmp_path, draw)
    assert len(sizes) > (0 if name in ("mean-of-selected", "scattered") else 1)


@pytest.mark.parametrize("target", ["android", "iphone", "iphone-ios16"])
@pytest.mark.parametrize("center", [False, True])
def test_suppression(target, center, tmp_path):
    path = tmp_path / "detector.onnx"
    onnx.save(selecting.suppression(center), path)
    source = prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)

    def draw(rng):
        scores = np.round(rng.random((2, 3, 30)), 1) * rng.choice([1, 1, 0])  # many are equal
        return {"boxes": rng.random((2, 30, 4)).astype(np.float32), "scores": scores.astype(np.float32)}

    assert len(follows(source, load_target(target, SINGLE), tmp_path, draw)) > 2


def test_sizes_have_names_and_ranges(tmp_path):
    """Everything computed from one selection has the same size, from none to all of the 40 candidates."""
    built = compile_target(
        prepared("detections"), load_target("android"), BuildOptions(out=tmp_path), lambda step: None
    )
    boxes, best, label, _ = (output.shape for output in built.manifest.outputs)
    (name,) = best
    assert (boxes, label) == ((name, 4), (name,))
    assert built.manifest.dimensions == {name: (0, 40)}
    assert read_manifest(built.folder / "manifest.json").dimensions == built.manifest.dimensions
