"""Fixtures shared by the tests of PyTorch sources."""

import pytest

from tests.sdk.frontend.torch.small_source import CODE


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(CODE)
    return path
