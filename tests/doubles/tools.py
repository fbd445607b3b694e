"""adb and sshd for the tests: the system's, or Debian's packages unpacked into the cache (`make devices-setup`).

Nothing is installed into the system, and no rights are needed.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.cache import cache_folder, made_once

_NAME = "device-tools"
_DEBS = (
    "adb", "android-libbase", "android-libcutils", "android-liblog", "android-libboringssl", "libusb-1.0-0",
    "openssh-server", "libwrap0",
)  # fmt: skip


@dataclass(frozen=True)
class Tools:
    """The programs, and the libraries that they load; None where one is missing."""

    adb: str | None
    sshd: str | None
    libraries: str = ""

    def environment(self) -> dict[str, str]:
        """With which the programs start."""
        known = os.environ.get("LD_LIBRARY_PATH", "")
        joined = ":".join(part for part in (self.libraries, known) if part)
        return {**os.environ, **({"LD_LIBRARY_PATH": joined} if joined else {})}


def tools() -> Tools:
    """What is here. Nothing is fetched."""
    root = cache_folder() / _NAME
    adb, sshd = shutil.which("adb"), shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if not root.is_dir():
        return Tools(adb, sshd)
    folders = sorted({str(path.parent) for path in root.rglob("*.so*")})
    return Tools(
        adb or str(root / "usr/lib/android-sdk/platform-tools/adb"),
        sshd or str(root / "usr/sbin/sshd"),
        ":".join(folders),
    )


def _make(folder: Path) -> None:
    debs = folder / "debs"
    debs.mkdir()
    subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *_DEBS], cwd=debs, check=True)
    for package in sorted(debs.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
    shutil.rmtree(debs)


def main() -> int:
    """Fetch what is missing, and say what."""
    if None not in (tools().adb, tools().sshd):
        print(f"adb and sshd are here: {tools().adb}, {tools().sshd}")
        return 0
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        print("this is no Debian: install adb and OpenSSH's server to run the tests of devices", file=sys.stderr)
        return 1
    print(f"unpacking into {cache_folder() / _NAME}, not into the system: {', '.join(_DEBS)}")
    made_once(_NAME, _make)
    return 0


if __name__ == "__main__":
    sys.exit(main())
