"""Loaded code keeps its lines, and loading does not affect anyone else."""

from __future__ import annotations

import gc
import inspect
import sys

import pytest
import torch

from edgec.frontend.torch import loading
from edgec.frontend.torch.loading import registered_quickly


def test_torch_is_told_the_line_without_the_search_for_text(monkeypatch):
    searched = []
    find = inspect.findsource
    monkeypatch.setattr(inspect, "findsource", lambda frame: searched.append(frame) or find(frame))
    plain = torch._library.utils.get_source(1)
    assert searched
    searched.clear()
    with registered_quickly():
        quick = torch._library.utils.get_source(1)
    assert not searched
    assert (quick.rpartition(":")[0], int(quick.rpartition(":")[2])) == (__file__, int(plain.rpartition(":")[2]) + 4)


def test_others_are_given_the_text():
    with registered_quickly():
        found = inspect.getframeinfo(sys._getframe())
    assert "getframeinfo" in found.code_context[0]
    assert inspect.getframeinfo.__module__ == "inspect"


@pytest.mark.parametrize("own", [True, False])
def test_loaded_objects_are_exempt_from_collection_in_edgecs_own_process(
    own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = []
    monkeypatch.setattr(loading, "is_own_process", lambda: own)
    monkeypatch.setattr(loading.gc, "freeze", lambda: frozen.append(gc.isenabled()))
    with loading.without_garbage():
        assert not gc.isenabled()
    assert frozen == ([False] if own else [])
    assert gc.isenabled()
