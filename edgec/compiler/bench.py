"""An artifact on a device: proven right there first, then timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgec.artifact.files import sha256_of, size_of
from edgec.artifact.format import RunOptions, format_of
from edgec.artifact.locate import Located
from edgec.artifact.manifest import Manifest
from edgec.compiler.check import accepted
from edgec.devices.conditions import Tell, Watch
from edgec.devices.measurement import Amount, Measurement, measure
from edgec.devices.record import Subject
from edgec.devices.runner import DeviceRunner
from edgec.diag import Diagnostic, EdgecError, error
from edgec.measure.accuracy import judge
from edgec.measure.arrays import Array
from edgec.measure.fidelity import Fidelity, compare_all, summarize
from edgec.runners.open import open_runner
from edgec.spec.device import load_device
from edgec.spec.reach import DeviceUse, Reach, reach_of
from edgec.spec.target import Accept, load_target


@dataclass(frozen=True)
class DeviceRequest:
    """On which device, how much is measured, and how long its limits are waited for.

    `name` is its profile's, or its address where there is none.
    """

    name: str
    use: DeviceUse
    amount: Amount
    wait_s: float


def reach_device(profile: str | None, address: str | None) -> tuple[str, Reach]:
    """The name and the way of a device: its profile's, its address, or the profile's by another address.

    Raises `EdgecError` E0105 and E0106 for the profile, E0701 for the address.
    """
    if profile is None:
        assert address is not None
        return address, reach_of(address)
    reach = load_device(profile).reach
    if address is None:
        return profile, reach
    other = reach_of(address)
    return profile, replace(reach, runner=other.runner, host=other.host, serial=other.serial, server=other.server)


def bench_on_device(
    found: Located, samples: Sequence[Mapping[str, Array]], asked: DeviceRequest, tell: Tell
) -> tuple[Subject, Measurement]:
    """Run every sample there, compare it with a run here, and only then time the first one.

    Raises `EdgecError` E0601 for wrong numbers, E0605 for an artifact that is not its manifest's, and as `DeviceRunner`
    and `measure` do.
    """
    digest = sha256_of(found.path)
    if found.manifest is not None and found.manifest.artifact.sha256 != digest:
        message = f"`{found.path.name}` is not the artifact that its manifest describes"
        raise error("E0605", message, help=["build it again"])
    with open_runner(found.path) as here:
        reference, expected = here.name, [here.run(inputs) for inputs in samples]
    use = asked.use
    with format_of(found.path).open(found.path, RunOptions(asked.name, device=use)) as there:
        if not isinstance(there, DeviceRunner):
            raise error("E0603", f"`{found.path.name}` cannot be timed on a device")
        fidelity = _proven(there, samples, expected, _accept(found), reference)
        tell(f"right on `{there.transport.address}`: rel {fidelity.max_rel:.1e} beside {reference} here")
        watch = Watch(there.state, use.reach.limits, asked.wait_s, tell)
        measured = measure(there, asked.name, use.unit, asked.amount, watch)
    return _subject(found, digest, reference, fidelity), measured


def _proven(
    there: DeviceRunner,
    samples: Sequence[Mapping[str, Array]],
    expected: Sequence[Mapping[str, Array]],
    accept: Accept,
    reference: str,
) -> Fidelity:
    """How close the device comes. The first sample is run last: it is the one that is timed."""
    differences = []
    for inputs, wanted in reversed(list(zip(samples, expected, strict=True))):
        differences += compare_all(wanted, there.run(inputs))
    fidelity = summarize(len(samples), differences)
    failures = [
        Diagnostic(
            d.code,
            f"on `{there.transport.address}` {d.message}",
            notes=(*d.notes, f"compared with {reference} on this machine; nothing was timed"),
            help=("try `--unit cpu`, or another version of the runtime on the device",),
        )
        for d in judge(fidelity, accept)
    ]
    if failures:
        raise EdgecError(failures)
    return fidelity


def _accept(found: Located) -> Accept:
    """What the build asked for; where its verification had to allow for the source's own rounding, that much too."""
    accept = accepted(found)
    allowed = found.manifest.accuracy.allowed_rel if found.manifest else None
    if accept.max_rel is None or allowed is None:
        return accept
    return replace(accept, max_rel=max(accept.max_rel, allowed))


def _subject(found: Located, digest: str, reference: str, fidelity: Fidelity) -> Subject:
    manifest = found.manifest
    return Subject(
        name=manifest.name if manifest else found.path.stem,
        target=manifest.target if manifest else "",
        format=found.format,
        precision=_precision(manifest) if manifest else "",
        sha256=digest,
        bytes=size_of(found.path),
        reference=reference,
        max_rel=fidelity.max_rel,
        psnr_db=fidelity.psnr_db,
    )


def _precision(manifest: Manifest) -> str:
    """What the target computes in; empty where there is no such target any more."""
    try:
        return load_target(manifest.target, manifest.settings.set).numerics.compute
    except EdgecError:
        return ""
