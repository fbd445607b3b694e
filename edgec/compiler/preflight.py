"""Checks a request before its source is imported, which takes most of the time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgec.compiler.latency import runs
from edgec.diag import Diagnostic, error
from edgec.frontend.dispatch import existing, packages_of
from edgec.frontend.request import SourceRequest
from edgec.spec.backend import backend_spec, packages_for
from edgec.spec.device import load_device
from edgec.spec.optional_package import require
from edgec.spec.target import Target


def check_request(sources: Sequence[SourceRequest], targets: Sequence[Target], device: str | None) -> None:
    """Raise `EdgecError` for a missing package (E0502), file (E0102), or device (E0105), or a device that runs none of
    the targets (E0702).
    """
    require({**{f"`{s.ref}`": packages_of(s.ref) for s in sources}, **packages_for(targets)})
    for source in sources:
        _check_files(source)
    for name in {t.devices[0] for t in targets if t.devices}:
        load_device(name)
    if device is not None and not any(runs(device, target) for target in targets):
        profile = load_device(device)
        raise error(
            "E0702",
            f"device `{profile.name}` runs none of these targets: {', '.join(t.name for t in targets)}",
            notes=[f"it runs {', '.join(profile.targets)}"],
            help=["remove `--device`, or choose a device of the target; `edgec devices` lists them"],
        )


def device_for(target: Target, asked: str | None) -> str | None:
    """The device to predict for: the requested one if it runs the target, else the target's first."""
    if asked is not None and runs(asked, target):
        return asked
    return target.devices[0] if target.devices else None


def elsewhere(target: Target) -> tuple[Diagnostic, ...]:
    """Why a target's artifacts cannot be built on this machine; empty if they can."""
    found = backend_spec(target.backend).elsewhere(target)
    return () if found is None else tuple(found.diagnostics)


def _check_files(source: SourceRequest) -> None:
    """Check that the files of code and weights exist."""
    code, colon, _ = source.ref.rpartition(":")
    named = [Path(code)] if colon and code.endswith(".py") else []
    for path in (*named, *([source.weights] if source.weights is not None else [])):
        existing(path)
