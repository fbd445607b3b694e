"""Runs TFLite files with LiteRT on the CPU, as on a phone without an accelerator's delegate."""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edgec.diag import EdgecError, Place, error
from edgec.diag.foreign import said
from edgec.runners.base import Array
from edgec.runners.native_log import without_native_log


class LiteRTRunner:
    """Runs a `.tflite` file through its default signature, with XNNPACK.

    With `keep_values`, LiteRT's own kernels run instead, and `values` returns every value afterwards. With `as_source`,
    `run` takes and returns (N, C, …) for inputs and outputs that the file records as channels-last in the file but not
    in its source. Floats for inputs in quantized integers are quantized; outputs in quantized integers are then floats.
    """

    name = "litert"

    def __init__(self, path: Path, threads: int = 1, *, keep_values: bool = False, as_source: bool = False) -> None:
        self._last = channels_last_names(path) if as_source else frozenset()
        try:
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as missing:
            raise error(
                "E0502", "LiteRT is not installed", notes=[str(missing)], help=["pip install 'edgec[tflite]'"]
            ) from missing
        try:
            plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            resolver = plain if keep_values else OpResolverType.AUTO
            with without_native_log():  # about the delegate in use
                self._interpreter: Any = Interpreter(
                    str(path),
                    num_threads=threads,
                    experimental_op_resolver_type=resolver,
                    experimental_preserve_all_tensors=keep_values,
                )
                signed = bool(self._interpreter.get_signature_list())
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as failure:
            raise _refusal(path, failure) from failure
        signature = self._interpreter.get_signature_runner() if signed else None
        self._inputs = self._named_inputs(signature)
        self._outputs = self._named_outputs(signature)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by their signature names. Raises `EdgecError` E0107 or E0602."""
        interpreter = self._interpreter
        if missing := [name for name in self._inputs if name not in inputs]:
            raise error("E0107", f"input `{missing[0]}` is missing")
        inputs = {name: np.moveaxis(a, 1, -1) if name in self._last else a for name, a in inputs.items()}
        in_floats = any(_is_quantized(d) and inputs[name].dtype.kind == "f" for name, d in self._inputs.items())
        for name, detail in self._inputs.items():
            if list(detail["shape"]) != list(inputs[name].shape):
                interpreter.resize_tensor_input(detail["index"], inputs[name].shape)
                detail["shape"] = inputs[name].shape
        try:
            interpreter.allocate_tensors()
            for name, detail in self._inputs.items():
                if inputs[name].size:
                    interpreter.set_tensor(detail["index"], _fitting(name, inputs[name], detail))
            interpreter.invoke()
        except (RuntimeError, ValueError) as failure:
            raise _failed("LiteRT fails while it runs the artifact", failure) from failure
        shapes = {d["index"]: d for d in interpreter.get_output_details()}
        found = {name: self._read(shapes[index]) for name, index in self._outputs}
        if in_floats:
            found = {name: _dequantized(found[name], shapes[index]) for name, index in self._outputs}
        return {name: np.moveaxis(a, -1, 1) if name in self._last else a for name, a in found.items()}

    def values(self) -> list[tuple[str, Array]]:
        """Every value of the last run, by its tensor's name, in operator order."""
        details = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        made = [i for op in self._interpreter._get_ops_details() for i in op["outputs"] if i in details]
        return [(details[i]["name"], np.array(self._read(details[i]))) for i in made]

    def _read(self, detail: Mapping[str, Any]) -> Array:
        """The tensor's content; LiteRT cannot read a tensor without elements."""
        if 0 in detail["shape"]:
            return np.zeros(tuple(detail["shape"]), dtype=detail["dtype"])
        array: Array = self._interpreter.get_tensor(detail["index"])
        return array

    def _named_inputs(self, signature: Any) -> dict[str, dict[str, Any]]:
        """The inputs by their signature names, or by tensor names without a signature."""
        if signature is not None:
            return {name: dict(detail) for name, detail in signature.get_input_details().items()}
        return {d["name"]: dict(d) for d in self._interpreter.get_input_details()}

    def _named_outputs(self, signature: Any) -> list[tuple[str, int]]:
        """Names and tensors of the outputs in the file's order; one tensor may have several names."""
        details = self._interpreter.get_output_details()
        if signature is None:
            return [(d["name"], d["index"]) for d in details]
        by_index: dict[int, list[str]] = {}
        for name, detail in signature.get_output_details().items():
            by_index.setdefault(detail["index"], []).append(name)
        return [(by_index[d["index"]].pop(0), d["index"]) for d in details]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._interpreter


def _is_quantized(detail: Mapping[str, Any]) -> bool:
    """Whether a tensor holds integers with a scale, in LiteRT's details of it."""
    return detail["quantization"][0] != 0 and np.dtype(detail["dtype"]).kind in "iu"


def _dequantized(array: Array, detail: Mapping[str, Any]) -> Array:
    if not _is_quantized(detail):
        return array
    scale, zero = detail["quantization"]
    values: Array = ((array.astype(np.float64) - zero) * scale).astype(np.float32)
    return values


def _fitting(name: str, array: Array, detail: Mapping[str, Any]) -> Array:
    """The array in the tensor's type, as LiteRT copies it. (`ascontiguousarray` would give a 0-D array a dimension.)

    Floats are quantized for a tensor with a scale. Raises `EdgecError` E0107 for floats where the tensor holds other
    integers, and for a finite double outside the range of float32, in which files compute.
    """
    dtype = np.dtype(detail["dtype"])
    if array.dtype.kind == "f" and dtype.kind in "iu":
        if not _is_quantized(detail):
            message = f"input `{name}` is {dtype} in the file, and {array.dtype} numbers are given"
            raise error("E0107", message, help=[f"convert them to {dtype} as the model expects it"])
        scale, zero = detail["quantization"]
        steps = np.rint(array.astype(np.float64) / scale) + zero
        return np.asarray(np.clip(steps, np.iinfo(dtype).min, np.iinfo(dtype).max), dtype=dtype, order="C")
    if array.dtype == np.float64 and (np.isfinite(array) & (np.abs(array) > np.finfo(np.float32).max)).any():
        raise error(
            "E0107",
            f"input `{name}` contains numbers beyond the range of float32, in which the file computes",
            notes=["rejected by `interface-float64-range`"],
        )
    return np.asarray(array, dtype=dtype, order="C")


CHANNELS_LAST = "edgec_channels_last"
"""Metadata entry: the names, one a line, of inputs and outputs that are channels-last only in the file."""


def channels_last_names(path: Path) -> frozenset[str]:
    """The inputs and outputs that are channels-last in the file, but not in its source."""
    from ai_edge_litert import schema_py_generated as schema

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        model = schema.Model.GetRootAs(content, 0)
        for i in range(model.MetadataLength()):
            entry = model.Metadata(i)
            if entry.Name().decode() == CHANNELS_LAST:
                return frozenset(_bytes_of(model.Buffers(entry.Buffer()), content).decode().splitlines())
    return frozenset()


def _bytes_of(buffer: Any, content: mmap.mmap) -> bytes:
    """A buffer's content, stored in the flatbuffer's tables or behind them."""
    if buffer.Offset() > 1:
        return bytes(content[buffer.Offset() : buffer.Offset() + buffer.Size()])
    return bytes(buffer.Data(i) for i in range(buffer.DataLength()))


_NODE = re.compile(r"[Nn]ode number (\d+) \((\w+)\)")
"""How LiteRT names an operator: by its number in the file."""


def _failed(what: str, failure: Exception) -> EdgecError:
    named = _NODE.search(str(failure))
    return error(
        "E0602",
        what,
        place=Place(node=f"{named[2]}, number {named[1]}") if named else None,
        notes=[said("LiteRT", failure)],
        help=["check the shapes and values of the inputs: `edgec inspect` shows what the file takes"],
    )


def _refusal(path: Path, failure: Exception) -> EdgecError:
    custom = re.search(r"unresolved custom op: (\S+?)\.?\s", f"{failure} ")
    if custom is None:
        return _failed(f"LiteRT cannot load `{path.name}`", failure)
    return error(
        "E0603",
        f"`{path.name}` calls the custom operator `{custom[1]}`, which cannot be run here",
        notes=["rejected by `custom-operator`"],
        help=["run it where the app registers that operator with the runtime"],
    )
