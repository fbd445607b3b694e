"""Core ML packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgec.artifact.format import Array, Format, RunOptions, Values
from edgec.artifact.shown import Shown, ShownScores
from edgec.diag import error
from edgec.ledger.row import Row
from edgec.measure.inspection.summary import Content, Feature
from edgec.runners.base import Runner


class MLPackage(Format):
    """Run by the MIL interpreter, or by Core ML: on this Mac, or in an app on a device."""

    title = "Core ML"
    notes: ClassVar[Mapping[str, str]] = {"mil-interpreter": "MIL semantics, not Apple's kernels"}
    untimed = "the interpreter's speed says nothing about Apple's kernels"

    def read(self, path: Path, function: str | None = None) -> Content:
        """The content of the package."""
        from edgec.measure.inspection.mlpackage import read_mlpackage

        return read_mlpackage(path, function)

    def open(self, path: Path, options: RunOptions) -> Runner:
        """`precision`: `float16` (the default) rounds where the package declares float16, `float32` never rounds."""
        if options.on == "mac" or options.on.startswith("apple:"):
            return _apple(path, options)
        if options.on == "qemu":
            raise error("E0603", f"`{path.name}` does not run under QEMU", notes=["TFLite files do"])
        from edgec.runners.mil import MilRunner
        from edgec.runners.mil.as_source import SourceRunner

        if options.shown is not None:
            return SourceRunner(path, options.shown, options.function)
        return MilRunner(path, "float32" if options.precision == "float32" else "float16", options.function)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Computed by the interpreter; the states after the run, by their own names."""
        from edgec.runners.mil.as_source import SourceRunner

        seen: Values = []
        with SourceRunner(path, shown, tap=lambda name, value: seen.append((name, np.array(value)))) as runner:
            kept = runner.state_values().keys()
            runner.set_states({name: inputs[name] for name in kept if name in inputs})
            results = runner.run({name: array for name, array in inputs.items() if name not in kept})
            return seen, results | runner.state_values()

    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """Core ML's ledger."""
        from edgec.ledger.coreml.ledger import ROWS

        no_delegates(delegates)
        return ROWS

    def subject(self, path: Path) -> Any:
        """The package's messages and weights."""
        from edgec.ledger.coreml.package import read_package

        return read_package(path)

    def states(self, path: Path) -> list[Feature]:
        """The states of the program."""
        from edgec.runners.mil import MilRunner

        with MilRunner(path) as runner:
            return [Feature(state.name, "float32", state.shape) for state in runner.states]

    def labelled(self, path: Path, outputs: Sequence[str]) -> Shown:
        """The scores of a classifier: the one output of the source that the package does not name."""
        from edgec.runners.mil import MilRunner

        with MilRunner(path) as runner:
            own = {feature.kind: feature.name for feature in runner.outputs}
            missing = set(outputs) - {feature.name for feature in runner.outputs}
        if len(missing) != 1 or not {"label", "probabilities"} <= own.keys():
            return Shown()
        return Shown(scores=(ShownScores(missing.pop(), own["label"], own["probabilities"]),))


def no_delegates(delegates: Sequence[str]) -> None:
    """Raises `EdgecError` E0101 if delegates, which only TFLite has, are requested."""
    if delegates:
        raise error("E0101", "delegates are for TFLite files", help=["remove `--delegate`"])


def _apple(path: Path, options: RunOptions) -> Runner:
    if options.on == "mac":
        from edgec.runners.apple.mac import MacRunner

        return MacRunner(path, function=options.function)
    from edgec.runners.apple.devicectl import AppleDeviceRunner

    _, device, app = [*options.on.split(":", 2), ""][:3]
    if options.function is not None:
        raise error("E0101", "`--function` is for `--on local` and `--on mac`")
    if not device or not app:
        help_ = ["`xcrun devicectl list devices` lists them"]
        raise error("E0101", f"`--on {options.on}` is not apple:DEVICE:APP", help=help_)
    return AppleDeviceRunner(path, device, app.rstrip(":"))


FORMAT = MLPackage()
