"""The interface of backends, loaded on demand: a backend is a row here and a folder in `backends/`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgec.diag import EdgecError
from edgec.spec.optional_package import OptionalPackage
from edgec.spec.ranges import InputRange
from edgec.spec.reader import Checker, Table

if TYPE_CHECKING:
    from edgec.backends.base import Backend
    from edgec.passes.base import OptionalPass
    from edgec.rules.base import Rule
    from edgec.spec.target import Target

BACKENDS = {
    "coreml": "edgec.backends.coreml.spec",
    "tflite": "edgec.backends.tflite.spec",
    "tensorrt": "edgec.backends.tensorrt.spec",
    "onnxruntime": "edgec.backends.onnxruntime.spec",
}
"""The module that defines the `SPEC` of each backend, by the name used in targets."""


def _nothing(checker: Checker, target: Target) -> None:
    """No further checks."""


@dataclass(frozen=True)
class Rewriting:
    """The rules and passes of a backend's legalization that can be switched by name."""

    rules: Sequence[Rule]
    passes: Sequence[type[OptionalPass]] = ()


@dataclass(frozen=True)
class BackendSpec:
    """A backend before it is loaded: its options, and how to load the rest.

    `read_options` reads and checks a target's `[options]`, `check` the rest of a target; both report problems to the
    checker. `ranges`: input ranges that follow from the options. `takes_layouts`: whether the layout of the interface
    can be chosen (`options.io_layout`, `options.layouts`). `functions`: which targets support several functions, as
    text for messages. `emitters`: alternative emitters, for `--via`. `packages`: those that assemble and run its
    artifacts; `elsewhere`: why the artifacts of a target cannot be built on this machine, or None.
    """

    name: str
    title: str
    read_options: Callable[[Checker, Table], object]
    load: Callable[[], Backend]
    rewriting: Callable[[], Rewriting]
    check: Callable[[Checker, Target], None] = _nothing
    ranges: Callable[[object], list[InputRange]] = lambda options: []
    takes_layouts: bool = False
    functions: str = ""
    emitters: Mapping[str, Callable[[], Backend]] = field(default_factory=dict)
    packages: tuple[OptionalPackage, ...] = ()
    elsewhere: Callable[[Target], EdgecError | None] = lambda target: None


def backend_spec(name: str) -> BackendSpec:
    """The spec of a backend in the table."""
    found = importlib.import_module(BACKENDS[name]).SPEC
    assert isinstance(found, BackendSpec)
    return found


def backend_specs() -> list[BackendSpec]:
    """All backends, in the table's order."""
    return [backend_spec(name) for name in BACKENDS]


def packages_for(targets: Sequence[Target]) -> dict[str, tuple[OptionalPackage, ...]]:
    """The packages needed to build each target on this machine, by the target's display name."""
    specs = [(target, backend_spec(target.backend)) for target in targets]
    return {f"target `{target.name}`": spec.packages for target, spec in specs if spec.elsewhere(target) is None}
