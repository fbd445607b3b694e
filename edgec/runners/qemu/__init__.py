"""LiteRT's 64-bit Arm build under QEMU's user-mode emulation: a phone's kernels on another architecture."""

from edgec.runners.qemu.runner import QemuRunner

__all__ = ["QemuRunner"]
