"""LiteRT's 64-bit Arm build under QEMU's user-mode emulation: the kernels of a phone, on a machine that is none."""

from edgec.runners.qemu.runner import QemuRunner

__all__ = ["QemuRunner"]
