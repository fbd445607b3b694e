"""A share of PyTorch's operator database gives the expected results; `make conformance` runs all of it."""

import pytest

from tests.conformance.onnx_nodes import expectations
from tests.conformance.torch_ops.cases import operators
from tests.conformance.torch_ops.run import ABSENT, run

_SHARE = 45


@pytest.mark.parametrize("op", sorted(operators())[::_SHARE])
def test_the_first_sample_does_what_is_expected(op):
    result = run(f"{op}[0]")
    if result.outcome != ABSENT:
        assert expectations.surprises(expectations.read("torch-ops"), [result]) == []
