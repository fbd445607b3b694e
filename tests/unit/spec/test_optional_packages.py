"""Packages that edgec uses: missing ones, what needs them, and the command that installs them."""

import sys
from types import ModuleType

import pytest

from edgec.diag import EdgecError
from edgec.spec.backend import packages_for
from edgec.spec.optional_package import OptionalPackage, installation, require
from edgec.spec.target import load_target

THERE = OptionalPackage("numpy", "numpy", "arrays", "")
FAST = OptionalPackage("fast-lib", "no_such_fast_lib", "speed", "fast")
SMALL = OptionalPackage("small-lib", "no_such_small_lib", "size", "small")
LOOSE = OptionalPackage("loose-lib", "no_such_loose_lib", "pictures", "")


def test_all_missing_packages_are_told_together_with_one_command() -> None:
    with pytest.raises(EdgecError) as caught:
        require({"`a.py:m`": (THERE, SMALL, FAST), "target `t`": (FAST, LOOSE), "target `u`": (THERE,)})
    (told,) = caught.value.diagnostics
    assert (told.code, caught.value.exit_code) == ("E0502", 4)
    assert told.message == "small-lib, fast-lib and loose-lib are not installed"
    assert told.notes == ("`a.py:m` needs small-lib and fast-lib", "target `t` needs fast-lib and loose-lib")
    assert told.help == ("pip install 'edgec[fast,small]' loose-lib",)
    require({"`a.py:m`": (THERE,), "target `u`": ()})


def test_a_package_without_an_extra_is_installed_by_its_name() -> None:
    assert installation([LOOSE]) == "pip install loose-lib"
    assert installation([FAST, FAST]) == "pip install 'edgec[fast]'"


def test_what_is_imported_is_installed_and_what_is_blocked_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not FAST.is_installed()
    monkeypatch.setitem(sys.modules, FAST.module, ModuleType(FAST.module))  # it has no `__spec__`
    assert FAST.is_installed()
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert not THERE.is_installed()


def test_a_target_that_a_board_builds_needs_nothing_here() -> None:
    found = packages_for([load_target("jetson-orin"), load_target("rtx"), load_target("onnx")])
    assert {who: [package.extra for package in packages] for who, packages in found.items()} == {
        "target `rtx`": ["tensorrt"],
        "target `onnx`": [],
    }
