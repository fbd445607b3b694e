"""TFLite files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgec.artifact.format import Array, Format, RunOptions, Values, no_run_options
from edgec.artifact.shown import Shown
from edgec.ledger.row import Row
from edgec.measure.inspection.summary import Content
from edgec.runners.base import Runner


class TFLite(Format):
    """Run by LiteRT: natively, with its Arm kernels under emulation, or on a device."""

    title = "TFLite"

    def read(self, path: Path, function: str | None = None) -> Content:
        """The interface of the first subgraph, and all operators."""
        from edgec.measure.inspection.tflite import read_tflite

        return read_tflite(path)

    def open(self, path: Path, options: RunOptions) -> Runner:
        """With LiteRT, on `local` or `qemu`, or on a device that is reached through adb or ssh."""
        if options.on == "qemu" and options.function is None:
            from edgec.runners.qemu import QemuRunner

            return QemuRunner(path, as_source=options.shown is not None)
        if options.device is not None and options.function is None:
            from edgec.devices.runner import DeviceRunner

            return DeviceRunner(path, options.device, as_source=options.shown is not None)
        no_run_options(options, path, self.title)
        from edgec.runners.litert import LiteRTRunner

        return LiteRTRunner(path, as_source=options.shown is not None)

    def values(self, path: Path, inputs: Mapping[str, Array], shown: Shown) -> tuple[Values, dict[str, Array]]:
        """Computed by LiteRT, which preserves all tensors."""
        from edgec.runners.litert import LiteRTRunner

        with LiteRTRunner(path, keep_values=True, as_source=True) as runner:
            results = runner.run(inputs)
            return runner.values(), results

    def rows(self, delegates: Sequence[str] = ()) -> tuple[Row[Any], ...]:
        """TFLite's ledger, and those of the delegates."""
        from edgec.ledger.tflite.delegated import rows_of
        from edgec.ledger.tflite.ledger import ROWS

        return (*ROWS, *rows_of(tuple(delegates)))

    def subject(self, path: Path) -> Any:
        """The tables of the flatbuffer."""
        from edgec.ledger.tflite.file import read_file

        return read_file(path)

    def channels_last(self, path: Path) -> Collection[str]:
        """The names recorded in the file's metadata."""
        from edgec.runners.litert import channels_last_names

        return channels_last_names(path)


FORMAT = TFLite()
