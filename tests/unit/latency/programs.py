"""Features of made-up networks, and a device whose speed is known by a formula."""

import numpy as np

from edgec.latency.families import families
from edgec.latency.features import Features
from edgec.latency.fit import Sample
from edgec.latency.model import Factors, evaluate

FAMILY = next(f for f in families() if f.unit == "npu" and f.precision == "float16")
TRUE = {
    name: value * 1.7 if name.startswith(("conv", "product")) else value for name, value in FAMILY.prior.values.items()
}
DEVICES = {"fast": Factors(0.5), "slow": Factors(2.0)}


def network(convs: int, channels: int, pixels: int, elementwise: int = 0) -> Features:
    kinds = ("conv",) * convs + ("binary",) * elementwise
    count = len(kinds)
    is_conv = np.array([k == "conv" for k in kinds])
    moved = np.full(count, 2.0 * channels * pixels)
    return Features(
        kinds,
        np.where(is_conv, 9.0 * channels * channels * pixels, 0.0),
        np.where(is_conv, channels, 0.0),
        moved,
        np.where(is_conv, 9.0 * channels * channels, 0.0),
        np.full(count, 32.0),
        interface=3 * pixels,
        live=3 * channels * pixels,
        crossings=0,
    )


def networks() -> dict[str, Features]:
    """Twelve architectures of two sizes."""
    found = {}
    for i in range(12):
        for size in (1, 2):
            name = f"lib.{'abcdefghijkl'[i]}net_{size}@224"
            found[name] = network(4 + 5 * i, 32 * size + 16 * (i % 3), 14**2 * (1 + i % 4), elementwise=3 * (i % 5))
    return found


def measured(noise: float, seed: int = 0) -> tuple[list[Sample], dict[str, Features]]:
    """Every network on both devices, with noise of its own that both share."""
    rng, programs, samples = np.random.default_rng(seed), networks(), []
    for name, program in programs.items():
        off = rng.normal(0, noise)
        for device, factors in DEVICES.items():
            ms = evaluate(program, FAMILY.format, TRUE, factors).total
            samples.append(Sample(name, device, float(ms * np.exp(off + rng.normal(0, 0.01)))))
    return samples, programs
