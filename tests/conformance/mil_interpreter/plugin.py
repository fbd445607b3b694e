"""A pytest plugin with which Apple's op tests in the coremltools wheel predict through the interpreter.

Off a Mac, those tests stop after the conversion. Here, `MLModel.predict` saves the package, loads it with `MilRunner`
and runs it, so that the tests compare the outputs with the expected ones. Each test's result is written to the file
given by `--mil-results`, one JSON object a line.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("PYMIL_TEST_TARGETS", "mlprogram")
# The float32 cases compare to 1e-4; the float16 ones, the default, only to 0.5.
os.environ.setdefault("INCLUDE_MIL_FP32_UNIT_TESTS", "1")

import coremltools as ct
from coremltools.converters.mil import testing_utils
from coremltools.converters.mil.mil.ops.tests import testing_utils as op_tests
from coremltools.models import utils as model_utils

from edgec.diag import EdgecError
from edgec.runners.mil import Feature, MilRunner
from tests.conformance.mil_interpreter.table import count_file, read

# Tests ask for the macOS version to skip what an old one got wrong.
_MACOS = (15, 4)
_HALF_TOLERANCE = 2e-3
_predictions = {"count": 0}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mil-results", default=None, help="file for one JSON line a test")
    parser.addoption("--mil-per-test", type=int, default=0, help="at most so many cases of each test, evenly spaced")
    parser.addoption("--mil-resume", action="store_true", help="leave out the cases that the file holds already")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    limit, path = config.getoption("--mil-per-test"), config.getoption("--mil-results")
    if path is not None:
        count_file(Path(path)).write_text(f"{len(items)}\n")
    if limit:
        cases: dict[str, list[pytest.Item]] = {}
        for item in items:
            cases.setdefault(item.nodeid.split("[")[0], []).append(item)
        items[:] = [group[i] for group in cases.values() for i in _spread(len(group), limit)]
    if path is not None and config.getoption("--mil-resume"):
        done = {record["test"] for record in read(Path(path))}
        items[:] = [item for item in items if _name(item) not in done]


def _spread(count: int, limit: int) -> list[int]:
    """At most `limit` indices below `count`, the first and the last among them."""
    if count <= limit:
        return list(range(count))
    return sorted({round(i * (count - 1) / (limit - 1)) for i in range(limit)})


def pytest_collection_finish(session: pytest.Session) -> None:
    """Exclude existing objects from garbage collection, which coremltools runs after every conversion."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    op_tests.compare_backend = _compare_backend
    testing_utils._IS_MACOS = True
    model_utils._macos_version = lambda: _MACOS
    ct.models.MLModel.predict = _predict
    ct.models.MLModel.make_state = lambda model: _Saved(model)


def _compare_backend(mlmodel: Any, *args: Any, **options: Any) -> Any:
    """The tests' own comparison, with float16's tolerance for float32 cases of tests about float16 types: these compute
    in float16 all the same, and often have expected outputs from float32 arithmetic or the other way round.
    """
    if options.get("dtype") == "fp32" and _has_float16(mlmodel.get_spec()):
        options["atol"] = max(options.get("atol", 0.0), _HALF_TOLERANCE)
        options["rtol"] = max(options.get("rtol", 0.0), _HALF_TOLERANCE)
    return testing_utils.compare_backend(mlmodel, *args, **options)


def _has_float16(spec: Any) -> bool:
    float16 = 10  # DataType.FLOAT16 in MIL.proto
    return any(
        output.type.tensorType.dataType == float16
        for function in spec.mlProgram.functions.values()
        for block in function.block_specializations.values()
        for operation in block.operations
        for output in (*operation.outputs, *function.inputs)
    )


class _Saved:
    """A model saved to disk and loaded by the interpreter; also used as the model's state."""

    def __init__(self, model: Any) -> None:
        self._folder = tempfile.mkdtemp(prefix="mil-")
        path = Path(self._folder) / "model.mlpackage"
        model.save(str(path))
        self.runner = MilRunner(path, "float16", getattr(model, "function_name", None))

    def __del__(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _predict(model: Any, data: dict[str, Any], state: _Saved | None = None) -> dict[str, Any]:
    saved = state or _Saved(model)
    features = {feature.name: feature for feature in saved.runner.inputs}
    inputs = {name: _input(value, features[name]) for name, value in data.items()}
    try:
        outputs = saved.runner.run(inputs)
    except EdgecError as error:
        if error.diagnostics[0].code != "E0602":
            raise
        _predictions["count"] += 1
        raise RuntimeError(str(error)) from error  # what Core ML raises for a failing operation
    _predictions["count"] += 1
    return _as_coreml(saved.runner, outputs, model)


def _input(value: Any, feature: Feature) -> Any:
    """An input as the package declares it: the tests pass all inputs as float32, and scalars as one element."""
    if feature.kind == "image":
        pixels = np.asarray(value, np.float32)
        pixels = pixels[None, None] if pixels.ndim == 2 else pixels[..., :3].transpose(2, 0, 1)[None]
        return pixels[:, ::-1] if feature.colour == "bgr" else pixels
    array = np.asarray(value)
    return array.astype(feature.dtype)


def _as_coreml(runner: MilRunner, outputs: dict[str, Any], model: Any) -> dict[str, Any]:
    """A classifier's label as a Python value and its probabilities as a dictionary, as in Core ML."""
    result: dict[str, Any] = {}
    for feature in runner.outputs:
        value = outputs[feature.name]
        if feature.kind == "label":
            value = value.item()
        elif feature.kind == "probabilities":
            value = dict(zip(runner.classes, value, strict=True))
        result[feature.name] = value
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    np.random.seed(len(item.name))
    _predictions["count"] = 0


def _name(item: pytest.Item) -> str:
    """The test's file below `ops/tests/` and its name, wherever the package is installed."""
    return f"{item.path.as_posix().split('ops/tests/')[-1]}::{item.nodeid.partition('::')[2]}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when != "call" and not (report.when == "setup" and report.skipped):
        return
    path = item.config.getoption("--mil-results")
    if path is None:
        return
    error = call.excinfo.value if call.excinfo else None
    record = {
        "test": _name(item),
        "outcome": "xfailed" if hasattr(report, "wasxfail") and report.skipped else report.outcome,
        "compared": _predictions["count"],
        "error": f"{type(error).__name__}: {error}"[:600] if error else None,
    }
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
