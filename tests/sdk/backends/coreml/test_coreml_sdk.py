"""Importing coremltools: in part if nobody else uses it, otherwise as a whole; torch unchanged in both cases."""

import subprocess
import sys

import pytest

SCRIPT = """
import torch
from edgec.backends.coreml import sdk
from edgec.spec import process
if {alone}: process.own_process()
ct = sdk.coremltools()
import torch as again
from coremltools import _deps
from coremltools.converters.mil import Builder
print(_deps._HAS_TORCH, again is torch, torch.nn.Linear(2, 2)(torch.ones(2)).shape == (2,), hasattr(Builder, "conv"))
"""


@pytest.mark.parametrize(("alone", "frontends"), [(True, False), (False, True)])
def test_coremltools_comes_with_its_frontends_only_where_they_may_be_used(alone: bool, frontends: bool) -> None:
    command = [sys.executable, "-c", SCRIPT.format(alone=alone)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(frontends), "True", "True", "True"]
    assert "coremlpython" not in done.stderr
