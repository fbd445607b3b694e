"""All commands use the same stages: predictions are of the artifact that a build writes, checks use its options."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from edgec.artifact.locate import locate
from edgec.compiler.build import build
from edgec.compiler.check import Budget, check_artifact
from edgec.compiler.forecast import forecast, predict_source
from edgec.compiler.options import BuildOptions
from edgec.compiler.rewrites import rewrites
from edgec.compiler.stages import prepare
from edgec.frontend.request import SourceRequest
from edgec.spec.target import list_targets, load_target
from tests import models

TARGETS = [
    "android", "android-fp16", "android-w8", "android-int8", "pixel", "raspberry-pi",
    "iphone", "iphone-ios16", "iphone-ios18", "rtx",
]  # fmt: skip
"""All targets that name a device and can be built here, but for those that differ from another by the device alone."""

MODELS = [
    "bert", "transformer_block", "unet", "activations", "window_attention",
    "mobilenet", "resnet", "gemma2", "tagger", "heads",
]  # fmt: skip


def source(name: str) -> SourceRequest:
    return SourceRequest(f"{models.__file__}:{name}")


def test_all_targets_are_tried() -> None:
    found = {name for name in list_targets() if load_target(name).devices}
    assert found - {"jetson-orin", "pixel-int8", "raspberry-pi-int8"} == set(TARGETS)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_predicted_is_what_is_built(name: str, tmp_path: Path) -> None:
    options = BuildOptions(out=tmp_path, disable=("recognize-mish",))
    report = build(source(name), TARGETS, options, lambda _: None)
    assert report.errors == []
    prepared = prepare(source(name), options, lambda _: None)
    for built in report.built:
        target = load_target(built.manifest.target)
        predicted = forecast(prepared, target, target.devices[:1], options, lambda _: None)
        assert predicted.ops == built.manifest.graph.ops, built.manifest.target
        assert predicted.latency == built.manifest.latency[0]
        assert len(predicted.steps) == sum(Counter(built.manifest.graph.ops).values())
        if built.manifest.placement.kind == "predicted":
            assert asdict(predicted.placement) == asdict(built.manifest.placement)


def test_the_command_predicts_the_same(tmp_path: Path) -> None:
    options = BuildOptions(out=tmp_path)
    (built,) = build(source("transformer_block"), ["iphone"], options, lambda _: None).built
    predicted = predict_source(source("transformer_block"), "iphone", options, lambda _: None)
    assert (predicted.ops, predicted.latency) == (built.manifest.graph.ops, built.manifest.latency[0])


def test_rules_that_fire_are_those_of_the_build(tmp_path: Path) -> None:
    (built,) = build(source("activations"), ["iphone"], BuildOptions(out=tmp_path), lambda _: None).built
    found = rewrites(source("activations"), "iphone", BuildOptions(), lambda _: None)
    assert found.fired == {r.rule: r.count for r in built.manifest.rewrites}


def test_a_check_is_by_what_the_build_was_asked(tmp_path: Path) -> None:
    strict = ("accept.min_psnr_db=200", "numerics.float32=ranges")
    options = BuildOptions(out=tmp_path, settings=strict)
    (failed,) = build(source("activations"), ["iphone"], options, lambda _: None).built
    assert failed.failures
    found = locate(failed.folder).manifest
    assert found is not None
    assert found.settings.set == strict
    assert check_artifact(failed.folder, source("activations"), Budget()).failures
    (loose,) = build(source("activations"), ["iphone"], BuildOptions(out=tmp_path), lambda _: None).built
    assert not check_artifact(loose.folder, source("activations"), Budget()).failures


def test_passes_are_timed(tmp_path: Path) -> None:
    (built,) = build(source("activations"), ["android"], BuildOptions(out=tmp_path), lambda _: None).built
    names = [timed.name for timed in built.timings]
    assert names[0] == "canonicalize/inline-functions"
    assert names[-1] == "tflite/legality"
    assert all(timed.seconds >= 0 for timed in built.timings)
