"""`benchmark_model` as a device has it: the tool's flags and lines, LiteRT's numbers. `FAULT` says what goes wrong."""

import os
import sys
import time
from pathlib import Path

import numpy as np

_FAULT = os.environ.get("FAULT", "")


def main(arguments: list[str]) -> int:
    flags = dict(argument.lstrip("-").split("=", 1) for argument in arguments)
    timed = "output_filepath" not in flags
    if _FAULT == "hang" and timed:
        time.sleep(600)
    if _FAULT == "kill" and timed:
        os.kill(os.getpid(), 9)
    if _FAULT == "garbage" and timed:
        print("\x00\xff!!" * 50)
        return 0
    if _FAULT == "endless" and timed:
        while True:
            print("INFO: " + "x" * 1000)
    from ai_edge_litert.interpreter import Interpreter

    begin = time.perf_counter()
    interpreter = Interpreter(flags["graph"], num_threads=int(flags["num_threads"]))
    interpreter.allocate_tensors()
    init = time.perf_counter() - begin
    print("INFO: STARTING!")
    if flags.get("use_gpu") == "true":
        text = "Though GPU delegate is explicitly applied, the model graph will not be executed by the delegate."
        if _FAULT == "gpu":
            text = "Explicitly applied GPU delegate, and the model graph will be completely executed by the delegate."
        print(f"INFO: {text}")
    files = [entry.rpartition(":")[2] for entry in flags["input_layer_value_files"].split(",")]
    for detail, name in zip(interpreter.get_input_details(), files, strict=True):
        content = Path(name).read_bytes()
        interpreter.set_tensor(detail["index"], np.frombuffer(content, detail["dtype"]).reshape(detail["shape"]))
    warm = _phase(interpreter, int(flags["warmup_runs"]), 150.0)
    times = _phase(interpreter, int(flags["num_runs"]), float(flags.get("max_secs", "150")))
    if not timed:
        outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
        if _FAULT == "wrong":
            outputs = [array * 1.5 for array in outputs]
        Path(flags["output_filepath"]).write_bytes(b"".join(array.tobytes() for array in outputs))
    average = sum(times) / len(times)
    print(
        f"INFO: Inference timings in us: Init: {init * 1e6:.0f}, First inference: {warm[0]:.0f}, "
        f"Warmup (avg): {sum(warm) / len(warm):.6g}, Inference (avg): {average:.6g}"
    )
    return 0


def _phase(interpreter: object, runs: int, seconds: float) -> list[float]:
    found: list[float] = []
    begin = time.perf_counter()
    while len(found) < runs and (not found or time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        interpreter.invoke()  # type: ignore[attr-defined]
        found.append((time.perf_counter() - start) * 1e6)
        if _FAULT == "slow":
            time.sleep(0.3)
            found[-1] += 3e5
    average = sum(found) / len(found) * (1e6 if _FAULT == "impossible" else 1)
    print(
        f"INFO: count={len(found)} first={found[0]:.0f} curr={found[-1]:.0f} min={min(found):.3f} "
        f"max={max(max(found), average):.3f} avg={average:.6g} std={np.std(found):.4g}"
    )
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
