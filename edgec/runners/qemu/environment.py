"""An arm64 Python with LiteRT, from Debian packages and wheels, in the user's cache, and an emulator for it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgec.artifact.cache import made_once
from edgec.diag import error

_EMULATOR = "qemu-aarch64-static"
_PYTHON = "3.11"
_DEBS = (
    f"python{_PYTHON}-minimal", f"libpython{_PYTHON}-minimal", f"libpython{_PYTHON}-stdlib", "libc6", "libstdc++6",
    "libgcc-s1", "zlib1g", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libssl3",
)  # fmt: skip
"""Python and the libraries that its modules link against (Debian 12)."""
_WHEELS = ("numpy==2.2.6", "ai-edge-litert==1.4.0", "flatbuffers==25.12.19")
"""LiteRT 1.4 is the newest version whose wheel runs under QEMU 7.2; later ones crash on import."""
_TAGS = ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64", "any")
NAME = f"arm64-python{_PYTHON}-litert1.4.0"
"""The name of the environment's folder in the cache."""


@dataclass(frozen=True)
class ArmPython:
    """The command line that starts the arm64 Python, and the location of its packages."""

    command: tuple[str, ...]
    home: Path
    packages: Path


def arm_python() -> ArmPython:
    """The environment, created on first use. Raises `EdgecError` E0502 if that fails."""
    folder = made_once(NAME, _make)
    root = folder / "root"
    emulator = shutil.which(_EMULATOR) or str(folder / "qemu" / _EMULATOR)
    native = platform.machine() in ("aarch64", "arm64")
    prefix = () if native else (emulator, "-L", str(root))
    return ArmPython((*prefix, str(root / f"usr/bin/python{_PYTHON}"), "-S"), root / "usr", folder / "packages")


def _make(folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise error(
            "E0502",
            "the emulated Arm environment is made of Debian packages, and apt-get is not installed",
            help=["copy the cache folder of a Debian machine, or check on a device"],
        )
    for name in ("root", "qemu", "packages", "wheels"):
        (folder / name).mkdir()
    _unpack_debs(_DEBS, "arm64", folder / "root", folder / "apt")
    if shutil.which(_EMULATOR) is None:
        host = subprocess.run(
            ["dpkg", "--print-architecture"], capture_output=True, text=True, check=False
        ).stdout.strip()
        _unpack_debs(("qemu-user-static",), host, folder / "unpacked", folder / "apt-host")
        shutil.move(folder / "unpacked" / "usr" / "bin" / _EMULATOR, folder / "qemu" / _EMULATOR)
        shutil.rmtree(folder / "unpacked")  # emulators of other architectures
    _unpack_wheels(folder / "wheels", folder / "packages")


def _unpack_debs(names: Sequence[str], architecture: str, root: Path, state: Path) -> None:
    """Download packages for an architecture, without changing the system's package lists, and unpack them."""
    for name in ("lists/partial", "archives/partial", "debs"):
        (state / name).mkdir(parents=True)
    (state / "status").touch()
    options = [f"APT::Architecture={architecture}", f"APT::Architectures={architecture}", "APT::Sandbox::User=root"]
    options += [f"Dir::State={state}", f"Dir::State::lists={state}/lists", f"Dir::State::status={state}/status"]
    options += [f"Dir::Cache={state}"]
    apt = ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]
    _run([*apt, "update"], state)
    _run([*apt, "download", *names], state / "debs")
    for package in sorted((state / "debs").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], state)
    shutil.rmtree(state)


def _unpack_wheels(downloads: Path, packages: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    tags = [part for tag in _TAGS for part in ("--platform", tag)]
    _run([*pip, *tags, "--python-version", _PYTHON, "-d", str(downloads), *_WHEELS], downloads)
    for wheel in sorted(downloads.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
    shutil.rmtree(downloads)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-6:]
        raise error("E0502", "the emulated Arm environment cannot be created", notes=[f"`{command[0]}` failed", *lines])
