"""A few broken files of each kind; `make fuzz` tries thousands."""

import contextlib
from random import Random

import pytest

from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare
from edgec.diag import EdgecError
from edgec.frontend.request import SourceRequest
from tests.fuzz.mutate import mutated_bytes, mutated_model
from tests.fuzz.seeds import onnx_seeds


@pytest.mark.parametrize("seed", range(80))
def test_a_broken_file_is_taken_or_refused(seed, tmp_path):
    random = Random(seed)
    models = onnx_seeds()
    model = models[seed % len(models)]
    content = mutated_model(model, random) if seed % 3 else mutated_bytes(model.SerializeToString(), random)
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with contextlib.suppress(EdgecError):  # anything else fails the test
        prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None)


@pytest.mark.parametrize("model", onnx_seeds(), ids=lambda model: model.graph.node[0].op_type)
def test_the_files_before_they_are_broken(model, tmp_path):
    path = tmp_path / "whole.onnx"
    path.write_bytes(model.SerializeToString())
    assert prepare(SourceRequest(str(path)), BuildOptions(), lambda step: None).samples
