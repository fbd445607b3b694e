"""From a profile's `[reach]`, or an address, to a connection."""

from __future__ import annotations

from edgec.devices.adb import AdbDevice, AdbTransport
from edgec.devices.ssh import SshTransport
from edgec.devices.transport import Transport
from edgec.diag import error
from edgec.spec.reach import Reach


def connect(reach: Reach) -> Transport:
    """Reach a device. Raises `EdgecError` E0701 where it does not answer, or the profile does not say how."""
    if reach.runner == "adb":
        return AdbTransport(AdbDevice(reach.serial, reach.server), reach.folder or None)
    if reach.runner == "ssh" and reach.host:
        return SshTransport(reach.host, reach.folder or None)
    missing = "says `ssh`, but no `host`" if reach.runner == "ssh" else f"says `{reach.runner}`"
    raise error(
        "E0701",
        f"the device cannot be reached: `[reach]` of its profile {missing}",
        help=[
            "copy the profile into `./device_profiles/` and add how your device is reached, or give its address: "
            "`--on ssh://USER@HOST` or `--on adb:SERIAL`"
        ],
    )
