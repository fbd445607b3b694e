"""From ONNX to a TensorRT-RTX engine, ahead of time, on a machine without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgec.backends.tensorrt.lower import OnnxProgram
from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.ir.dims import UNBOUNDED, dim_ranges
from edgec.ir.model import Model
from edgec.ir.save import save_onnx
from edgec.spec.target import Target, TensorRTOptions


def assemble(program: OnnxProgram, target: Target, path: Path) -> None:
    """Write the engine to `path` and the ONNX that it was built from beside it, as `.onnx`.

    Raises `EdgecError` E0501 when TensorRT refuses the model, E0502 when it is not installed, E0503 when the target
    is built on the board.
    """
    options = target.options
    assert isinstance(options, TensorRTOptions)
    if options.build == "on-device":
        raise error(
            "E0503",
            f"target `{target.name}` is built by the TensorRT on the board itself",
            notes=["an engine fits one TensorRT version and one GPU; the board's wheels are not on the public index"],
            help=["build for `rtx`, or take the ONNX (`--emit onnx --target rtx`) to the board: trtexec --onnx=FILE"],
        )
    onnx_path = path.with_suffix(".onnx")
    save_onnx(program.model, onnx_path)
    path.write_bytes(_engine(onnx_path, program, options))


def _engine(onnx_path: Path, program: OnnxProgram, options: TensorRTOptions) -> bytes:
    trt = _tensorrt()
    log = _log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx_path)):
        raise EdgecError([_parser_error(parser.get_error(i), program) for i in range(parser.num_errors)])
    config = builder.create_builder_config()
    config.num_compute_capabilities = len(options.compute_capabilities)
    for i, name in enumerate(options.compute_capabilities):
        if not hasattr(trt.ComputeCapability, name):
            raise error("E0501", f"this TensorRT-RTX does not build for {name}", notes=[f"version {trt.__version__}"])
        config.set_compute_capability(getattr(trt.ComputeCapability, name), i)
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default: 10 bits of mantissa, which `accept` does not grant
    _add_profile(builder, config, program.model)
    log.messages.clear()
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise error("E0501", "TensorRT could not build the engine", notes=log.messages[:4])
    return bytes(engine)


def _add_profile(builder: Any, config: Any, model: Model) -> None:
    """The sizes for which the engine is built: from the least to the largest, tuned for the middle."""
    ranges = dim_ranges(model)
    if all(value.shape is None or value.shape.is_static() for value in model.graph.inputs):
        return
    profile = builder.create_optimization_profile()
    for value in model.graph.inputs:
        assert value.shape is not None
        sizes = [(d, d) if isinstance(d, int) else _bounded(str(d.value), ranges) for d in value.shape]
        if any(low != high for low, high in sizes):
            least, largest = [low for low, _ in sizes], [high for _, high in sizes]
            profile.set_shape(value.name, least, [(a + b) // 2 for a, b in sizes], largest)
    config.add_optimization_profile(profile)


def _bounded(name: str, ranges: dict[str, tuple[int, int]]) -> tuple[int, int]:
    low, high = ranges[name]
    if high == UNBOUNDED:
        raise error(
            "E0401",
            f"dimension `{name}` has no largest size, for which TensorRT reserves memory",
            help=[f"give it a range, for instance `{name}:1..16`"],
        )
    return low, high


def _tensorrt() -> Any:
    try:
        import tensorrt_rtx_bindings as trt
    except ImportError as missing:
        raise error(
            "E0502", "TensorRT-RTX is not installed", notes=[str(missing)], help=["pip install 'edgec[tensorrt]'"]
        ) from missing
    return trt


_LOGS: list[Any] = []
"""TensorRT keeps the first logger of a process and ignores all later ones."""


def _log(trt: Any) -> Any:
    """A logger that keeps warnings and errors instead of printing them."""
    if not _LOGS:

        class Log(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)
                self.messages: list[str] = []

            def log(self, severity: Any, message: str) -> None:
                if severity <= trt.ILogger.WARNING:
                    self.messages.append(message.strip())

        _LOGS.append(Log())
    _LOGS[0].messages.clear()
    return _LOGS[0]


def _parser_error(problem: Any, program: OnnxProgram) -> Diagnostic:
    """A parser's error at the place of its node."""
    index = problem.node()
    place = program.instrs[index].place if 0 <= index < len(program.instrs) else Place(node=problem.node_name() or None)
    return Diagnostic(
        "E0501", f"TensorRT's parser refuses `{problem.node_operator()}`", place, (problem.desc().strip(),)
    )
