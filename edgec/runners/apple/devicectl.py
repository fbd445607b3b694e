"""Runs packages on an iPhone or iPad connected to this Mac, through Xcode's `xcrun devicectl`.

A device runs only apps, so an app that runs packages must be installed there: `docs/how-to/apple-devices.md` specifies
it. Files are copied to and from the app's container (`device copy`); each run launches the app (`device process
launch`).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgec.diag import error
from edgec.runners.apple.mac import need_mac
from edgec.runners.base import Array
from edgec.runners.mil.runner import source_names

_TIMEOUT_S = 300


@dataclass(frozen=True)
class AppleDevice:
    """A device as `devicectl` lists it."""

    identifier: str
    name: str
    model: str
    connected: bool


def devices() -> tuple[AppleDevice, ...]:
    """The devices paired with this Mac. Raises `EdgecError` E0701 without a Mac or Xcode."""
    found = _devicectl("list", "devices")
    return tuple(
        AppleDevice(
            d["identifier"],
            d["deviceProperties"]["name"],
            d["hardwareProperties"]["productType"],
            d["connectionProperties"].get("tunnelState") == "connected",
        )
        for d in found["result"]["devices"]
    )


class AppleDeviceRunner:
    """Runs a package in an app on a device.

    `app` is the bundle identifier. Raises E0701 when the Mac, Xcode, the device or the app does not answer.
    """

    name = "coreml-on-device"

    def __init__(self, path: Path, device: str, app: str) -> None:
        need_mac(f"running `{path.name}` on a device")
        self._path, self._device, self._app, self._names = path, device, app, source_names(path)
        self._copy_to(path, f"Documents/{path.name}")

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, through `inputs.npz` and `outputs.npz` in the app's Documents."""
        with tempfile.TemporaryDirectory(prefix="edgec-apple-") as folder:
            given, found = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
            arrays: dict[str, Any] = {self._names.identifiers.get(n, n): array for n, array in inputs.items()}
            np.savez(given, **arrays)
            self._copy_to(given, "Documents/inputs.npz")
            launch = ("device", "process", "launch", "--device", self._device, "--console", self._app)
            _devicectl(*launch, "--model", self._path.name)
            self._copy_from("Documents/outputs.npz", found)
            with np.load(found, allow_pickle=False) as results:
                return {self._names.source(name): results[name] for name in results.files}

    def _copy_to(self, source: Path, destination: str) -> None:
        _devicectl("device", "copy", "to", *self._container(), "--source", str(source), "--destination", destination)

    def _copy_from(self, source: str, destination: Path) -> None:
        _devicectl("device", "copy", "from", *self._container(), "--source", source, "--destination", str(destination))

    def _container(self) -> tuple[str, ...]:
        domain = ("--domain-type", "appDataContainer", "--domain-identifier", self._app)
        return ("--device", self._device, *domain)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release; the package stays in the app's container."""


def _devicectl(*arguments: str) -> dict[str, Any]:
    """Run one command; its result is read from the JSON file, which `devicectl` documents as its only stable output."""
    need_mac("reaching an Apple device")
    with tempfile.TemporaryDirectory(prefix="edgec-apple-") as folder:
        answer = Path(folder) / "answer.json"
        command = ["xcrun", "devicectl", *_with_answer(arguments, answer)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
        except FileNotFoundError as missing:
            raise error("E0701", "`xcrun` is missing", help=["install Xcode 15 or later"]) from missing
        except subprocess.TimeoutExpired as late:
            raise error("E0701", f"the device did not answer in {_TIMEOUT_S} seconds") from late
        if done.returncode != 0:
            raise error(
                "E0701", f"`devicectl {' '.join(arguments[:3])}` failed", notes=done.stderr.strip().splitlines()[-2:]
            )
        result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
        return result


def _with_answer(arguments: Sequence[str], answer: Path) -> list[str]:
    """The arguments with the output option, which must precede the arguments of a launched app."""
    at = arguments.index("--console") if "--console" in arguments else len(arguments)
    return [*arguments[:at], "--json-output", str(answer), *arguments[at:]]
