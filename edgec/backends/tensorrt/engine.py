"""TensorRT-RTX's builder, run in a separate process: if it crashes, the build ends with a diagnostic.

    python -m edgec.backends.tensorrt.engine JOB

JOB is a folder with a request (`request.json`); the engine (`engine`) or the errors (`refused.json`) are written
there. Only TensorRT's own bindings and edgec's messages are imported here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgec.diag.foreign import said

Sizes = list[int]


@dataclass(frozen=True)
class Request:
    """The ONNX file, the GPUs by their names in `ComputeCapability`, the smallest and largest shape of open inputs."""

    onnx: str
    capabilities: tuple[str, ...]
    ranges: dict[str, tuple[Sizes, Sizes]]

    def write(self, folder: Path) -> None:
        """Write the request where the process looks for it."""
        (folder / "request.json").write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True)
class Refused:
    """A reason why no engine was built; `node` is the index of the node in the ONNX file, or -1."""

    message: str
    notes: tuple[str, ...] = ()
    node: int = -1
    name: str = ""


def refusals(folder: Path) -> list[Refused]:
    """The errors that the process wrote; empty if it crashed before."""
    path = folder / "refused.json"
    if not path.is_file():
        return []
    return [Refused(**{**r, "notes": tuple(r["notes"])}) for r in json.loads(path.read_text(encoding="utf-8"))]


def main() -> None:
    """Build the engine that the folder's request describes."""
    folder = Path(sys.argv[1])
    request = Request(**json.loads((folder / "request.json").read_text(encoding="utf-8")))
    found = _built(request)
    if isinstance(found, bytes):
        (folder / "engine").write_bytes(found)
    else:
        (folder / "refused.json").write_text(json.dumps([asdict(r) for r in found]), encoding="utf-8")


def _built(request: Request) -> bytes | list[Refused]:
    import tensorrt_rtx_bindings as trt

    log = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(request.onnx):
        return [_refused(parser.get_error(i)) for i in range(parser.num_errors)]
    if deciding := [t.name for t in map(network.get_input, range(network.num_inputs)) if t.is_shape_tensor]:
        note = "TensorRT builds an engine for sizes within bounds, and there are none for an input that the app sets"
        notes = (note, "rejected by `shape-input`", "make it a constant, or make the dimension itself open")
        return [Refused(f"the values of input `{deciding[0]}` decide sizes", notes)]
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(request.capabilities)
    for i, name in enumerate(request.capabilities):
        if not hasattr(trt.ComputeCapability, name):
            return [Refused(f"this TensorRT-RTX does not build for {name}", (f"version {trt.__version__}",))]
        config.set_compute_capability(getattr(trt.ComputeCapability, name), i)
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default; its 10 bits of mantissa are not float32
    if request.ranges:
        config.add_optimization_profile(_profile(builder, request))
    log.messages.clear()
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        return [
            Refused(
                "TensorRT could not build the engine", tuple(said("TensorRT", message) for message in log.messages[:4])
            )
        ]
    return bytes(engine)


def _profile(builder: Any, request: Request) -> Any:
    """The optimization profile: from the smallest to the largest sizes, tuned for the middle."""
    profile = builder.create_optimization_profile()
    for name, (least, largest) in request.ranges.items():
        profile.set_shape(name, least, [(a + b) // 2 for a, b in zip(least, largest, strict=True)], largest)
    return profile


def _log(trt: Any) -> Any:
    """A logger that collects warnings and errors instead of printing them."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.messages: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.WARNING:
                self.messages.append(message.strip())

    return Log()


def _refused(problem: Any) -> Refused:
    message = f"TensorRT's parser refuses `{problem.node_operator()}`"
    return Refused(message, (said("TensorRT", problem.desc()),), problem.node(), problem.node_name())


if __name__ == "__main__":
    main()
