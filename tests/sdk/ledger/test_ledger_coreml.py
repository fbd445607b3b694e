"""The ledger of Core ML packages: coremltools' packages satisfy it, and each planted violation is found."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from edgec.cli.app import app
from edgec.ledger.coreml import protos
from edgec.ledger.coreml.ledger import ROWS
from edgec.ledger.coreml.passes import PASSES
from edgec.ledger.lint import lint
from tests.conformance.mil_operations import FILE, text
from tests.sdk.coreml_plants import PLANTS, Planted

IOS17, IOS18 = ct.target.iOS17, ct.target.iOS18


class Net(nn.Module):
    """Weights, concatenations, casts and text."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.pool, self.head = nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pool(torch.relu(self.conv(x)))
        return torch.softmax(self.head(torch.cat([y, y * 2], 2).mean((2, 3))), -1)


class Kept(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        return self.total * 2


class Forked(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x * 2
        return x - 1


IMAGE = torch.rand(1, 3, 16, 16)


def convert(path: Path, module: nn.Module, example: torch.Tensor, inputs: list[Any], **options: Any) -> None:
    module = module.eval()
    is_forked = isinstance(module, Forked)
    traced = torch.jit.script(module) if is_forked else torch.jit.trace(module, example, check_trace=False)
    options = {"minimum_deployment_target": IOS18, **options}
    made = ct.convert(traced, inputs=inputs, convert_to="mlprogram", skip_model_load=True, **options)
    made.save(str(path))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Packages built by coremltools, one for each part of the ledger."""
    folder = tmp_path_factory.mktemp("bases")
    paths = {name: folder / f"{name}.mlpackage" for name in "plain old image range listed state fork several".split()}
    tensor, shape = ct.TensorType, IMAGE.shape
    sides = ct.RangeDim(16, 32, 16)
    sizes = ct.EnumeratedShapes([(1, 3, 16, 16), (1, 3, 24, 24)], default=(1, 3, 16, 16))
    labels = ct.ClassifierConfig(list("abcd"))
    held = [ct.StateType(wrapped_type=tensor(shape=(1, 4), dtype=np.float16), name="total")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        convert(paths["plain"], Net(), IMAGE, [tensor("x", shape)])
        convert(paths["old"], Net(), IMAGE, [tensor("x", shape)], minimum_deployment_target=ct.target.iOS15)
        convert(paths["image"], Net(), IMAGE, [ct.ImageType("x", shape)], classifier_config=labels)
        convert(paths["range"], Net(), IMAGE, [tensor("x", (1, 3, sides, sides))], minimum_deployment_target=IOS17)
        convert(paths["listed"], Net(), IMAGE, [tensor("x", sizes)], minimum_deployment_target=IOS17)
        convert(paths["state"], Kept(), torch.rand(1, 4), [tensor("x", (1, 4))], states=held)
        convert(paths["fork"], Forked(), torch.rand(1, 4), [tensor("x", (1, 4))])
        functions = ct.utils.MultiFunctionDescriptor()
        for name in ("first", "second"):
            functions.add_function(str(paths["plain"]), "main", name)
        functions.default_function_name = "first"
        ct.utils.save_multifunction(functions, str(paths["several"]))
    return paths


def test_what_coremltools_makes_meets_every_demand(bases: dict[str, Path]) -> None:
    for name, path in bases.items():
        assert not lint(path), name


@pytest.mark.parametrize("label", [row.label for row in ROWS])
def test_a_planted_violation_is_found(label: str, bases: dict[str, Path], tmp_path: Path) -> None:
    base, spoil = PLANTS[label]
    path = tmp_path / "spoilt.mlpackage"
    shutil.copytree(bases[base], path)
    planted = Planted(path)
    spoil(planted)
    planted.save()
    found = {f.label: f for f in lint(path)}
    assert label in found, sorted(found)
    assert found[label].breaches
    assert found[label].source


def test_the_command_says_who_demands_what_and_where_it_is_written(bases: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "spoilt.mlpackage"
    shutil.copytree(bases["plain"], path)
    planted = Planted(path)
    planted.rename(planted.inner, "relu/1")
    planted.save()
    done = CliRunner().invoke(app, ["lint", str(path)])
    assert done.exit_code == 1
    assert "error[E0609]: `name-identifier`" in done.stderr
    assert "required by Core ML's loader: apple/coremltools, mlmodel/format/MIL.proto" in done.stderr
    document = json.loads(CliRunner().invoke(app, ["lint", str(path), "--json"]).stdout)
    assert document["demands"] == len(ROWS)
    (finding,) = document["findings"]
    assert (finding["label"], finding["severity"]) == ("name-identifier", "error")
    well = CliRunner().invoke(app, ["lint", str(bases["plain"])])
    assert (well.exit_code, well.stderr) == (0, "")


def test_every_pass_of_coremltools_pipeline_is_accounted_for() -> None:
    from coremltools.converters.mil.mil.passes.pass_pipeline import PassPipeline

    listed = PassPipeline.get_pipeline("backend_mlprogram").passes
    assert set(listed) == {row.name for row in PASSES}
    assert {row.demanded for row in PASSES if row.demanded} <= {row.label for row in ROWS}
    assert all(bool(row.kept_by) != bool(row.not_needed) for row in PASSES)


def test_every_field_of_an_ml_program_is_accounted_for() -> None:
    from coremltools.proto import FeatureTypes_pb2, MIL_pb2, Model_pb2

    kinds = Model_pb2.DESCRIPTOR.message_types_by_name
    described = ("FeatureDescription", "Metadata", "FunctionDescription", "ModelDescription")
    messages = [*MIL_pb2.DESCRIPTOR.message_types_by_name.values(), *(kinds[name] for name in described)]
    messages += FeatureTypes_pb2.DESCRIPTOR.message_types_by_name.values()
    fields = {field for message in messages for field in fields_of(message, message.name)}
    fields |= {f"Model.{name}" for name in ("specificationVersion", "description", "isUpdatable")}
    assert fields == {*protos.demanded(), *protos.not_needed()}
    assert not protos.demanded().keys() & protos.not_needed().keys()
    assert {label for labels in protos.demanded().values() for label in labels} <= {row.label for row in ROWS}
    files = {file.name.removesuffix(".proto") for file in Model_pb2.DESCRIPTOR.public_dependencies}
    assert files == {"MIL", "FeatureTypes", *protos.OTHER_KINDS}


def fields_of(message: Any, name: str) -> Iterator[str]:
    yield from (f"{name}.{field.name}" for field in message.fields)
    for inner in message.nested_types:
        if not inner.GetOptions().map_entry:
            yield from fields_of(inner, f"{name}.{inner.name}")


def test_the_table_of_operations_is_coremltools_own() -> None:
    assert FILE.read_text(encoding="utf-8") == text()


def test_labels_are_unique() -> None:
    labels = [row.label for row in ROWS]
    assert len(set(labels)) == len(labels)
    assert PLANTS.keys() == set(labels)
