"""A fixed share of ONNX's backend tests on every engine with expectations; `make conformance` runs all."""

import pytest

from tests.conformance.onnx_nodes import expectations
from tests.conformance.onnx_nodes.cases import load_cases, one_in
from tests.conformance.onnx_nodes.engines.table import ENGINES
from tests.conformance.onnx_nodes.pool import run_cases

SHARE = {"core": 10, "tflite": 20, "coreml": 20}


@pytest.mark.parametrize("engine", [name for name in ENGINES if expectations.path_of(name).exists()])
def test_a_share_does_what_is_expected(engine: str) -> None:
    results = run_cases(engine, one_in(SHARE[engine]), jobs=1, timeout=60, show=lambda result: None)
    assert len(results) > 50
    assert not expectations.surprises(expectations.read(engine), results)


@pytest.mark.parametrize("engine", [name for name in ENGINES if expectations.path_of(name).exists()])
def test_expectations_name_cases_that_exist(engine: str) -> None:
    assert set(expectations.read(engine)) <= set(load_cases())
