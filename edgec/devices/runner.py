"""An artifact on a device: pushed once, run as often as asked, removed with everything else in the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from edgec.artifact.format import format_of
from edgec.devices.benchmark_tool import BenchmarkTool, Interface
from edgec.devices.connect import connect
from edgec.devices.engine import MODEL, Engine, Plan, Timed
from edgec.devices.facts import Identity, State, identity_of, state_of
from edgec.devices.python_engine import PythonEngine
from edgec.devices.transport import Transport
from edgec.devices.work_folder import WorkFolder, work_folder
from edgec.diag import error
from edgec.runners.base import Array
from edgec.spec.reach import DeviceUse


class DeviceRunner:
    """Runs a file on a device by LiteRT there: in its Python, or by `benchmark_model` where the profile names it.

    With `as_source`, `run` takes and gives what the source does. Raises `EdgecError` E0701 for a device that does not
    answer or is another model than its profile's, E0704 for one in use, E0705 for a full disk, E0502 without LiteRT.
    """

    def __init__(self, path: Path, use: DeviceUse, *, as_source: bool = False) -> None:
        self._path, self._use = path, use
        self._last = frozenset(format_of(path).channels_last(path)) if as_source else frozenset()
        with ExitStack() as opening:
            self.transport: Transport = opening.enter_context(connect(use.reach))
            self.identity = self._known(identity_of(self.transport))
            folder = opening.enter_context(work_folder(self.transport))
            folder.push(path, MODEL)
            self.engine = self._engine(folder)
            self.name = f"litert on {self.transport.address}"
            self._held = opening.pop_all()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by their names. Raises as `Engine.run` does, E0107 for a missing input."""
        features = format_of(self._path).read(self._path).inputs
        if missing := [f.name for f in features if f.name not in inputs]:
            raise error("E0107", f"input `{missing[0]}` is missing")
        given = {f.name: np.asarray(inputs[f.name]) for f in features}
        moved = {n: np.moveaxis(a, 1, -1) if n in self._last else a for n, a in given.items()}
        found = self.engine.run(moved, self._use.limit_s)
        return {n: np.moveaxis(a, -1, 1) if n in self._last else a for n, a in found.items()}

    def time(self, plan: Plan) -> Timed:
        """One try on the inputs of the last run. Raises as `Engine.time` does."""
        return self.engine.time(plan, self._use.limit_s + plan.seconds)

    def state(self) -> State:
        """How the device is just now. Raises as `Transport.run` does."""
        return state_of(self.transport, self._use.reach.limits.thermal_zone)

    def _engine(self, folder: WorkFolder) -> Engine:
        reach, unit = self._use.reach, self._use.unit
        if reach.benchmark_model:
            content = format_of(self._path).read(self._path)
            return BenchmarkTool(folder, reach.benchmark_model, Interface(content.inputs, content.outputs), self._use)
        if unit != "cpu" and unit not in reach.delegates:
            raise error(
                "E0106",
                f"the device's profile does not say which delegate runs its {unit}",
                help=[f'add `{unit} = "/path/on/the/device/lib….so"` to `[reach.delegates]`'],
            )
        if reach.runner == "adb" and not reach.python:
            raise error(
                "E0502",
                f"nothing on `{self.transport.address}` is known to run the artifact",
                help=["name LiteRT's `benchmark_model` for its processor: `--benchmark-model PATH`, or in the profile"],
            )
        return PythonEngine(folder, reach.python, reach.delegates.get(unit, ""), self._use.threads)

    def _known(self, identity: Identity) -> Identity:
        wanted = self._use.reach.model
        if wanted and wanted.casefold() not in identity.model.casefold():
            raise error(
                "E0701",
                f"`{self.transport.address}` is another device than its profile describes",
                notes=[f"it calls itself `{identity.model}`, the profile's `model` is `{wanted}`"],
                help=["choose the profile of that device, or correct its `model`"],
            )
        return identity

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)
