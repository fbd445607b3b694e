"""Times the MIL interpreter against eager PyTorch, in turn, on packages converted by coremltools.

    python benchmarks/mil_interpreter.py [--threads 2] [--repeats 15]

Prints the median of each and their ratio, for MobileNetV2 at 224 in float32 and float16.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()

    import coremltools as ct
    import torch
    import transformers

    from edgec.runners.mil import MilRunner

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = transformers.MobileNetV2ForImageClassification(transformers.MobileNetV2Config(return_dict=False)).eval()
    image = torch.randn(1, 3, 224, 224)
    traced = torch.jit.trace(model, image)
    for precision in ("float32", "float16"):
        compute = ct.precision.FLOAT32 if precision == "float32" else ct.precision.FLOAT16
        package = ct.convert(
            traced, inputs=[ct.TensorType("image", shape=image.shape)], compute_precision=compute,
            minimum_deployment_target=ct.target.iOS17,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.mlpackage"
            package.save(str(path))
            with MilRunner(path, precision) as runner, torch.no_grad():
                eager, ours = in_turn(
                    lambda: model(image),
                    lambda runner=runner: runner.run({"image": image.numpy()}),
                    options.repeats,
                )
        print(f"mobilenet_v2 {precision}: eager {eager:.1f} ms, interpreter {ours:.1f} ms, ratio {ours / eager:.2f}")


def in_turn(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median milliseconds of two functions run in turn, after two warm-up rounds."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(repeats + 2):
        for function, seconds in zip((first, second), times, strict=True):
            start = time.perf_counter()
            function()
            if round_ >= 2:
                seconds.append(time.perf_counter() - start)
    return statistics.median(times[0]) * 1e3, statistics.median(times[1]) * 1e3


if __name__ == "__main__":
    main()
