"""User-defined operators (`--extension`): loading the file, and what to suggest when an operator is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgec.diag import error
from edgec.extension import OnnxFunction, OnnxOperator, TorchOperator
from edgec.frontend.import_code import import_code
from edgec.frontend.user_code import place_of_failure, user_code
from edgec.spec.optional_package import TORCH, installation

WAY_OUT = "define what it computes in a file of your own, `--extension my_ops.py` (`edgec explain extensions`)"
"""The suggestion for an operator that edgec does not support."""


@dataclass(frozen=True)
class Extension:
    """The contents of an extension: operators of torch by `namespace.name` or `namespace.name.overload`, as in torch's
    graphs, and operators and functions of ONNX by domain and name.
    """

    torch: Mapping[str, TorchOperator] = field(default_factory=dict)
    onnx: Mapping[tuple[str, str], OnnxOperator] = field(default_factory=dict)
    functions: Mapping[tuple[str, str], OnnxFunction] = field(default_factory=dict)
    file: Path | None = None

    def torch_operator(self, target: str) -> TorchOperator | None:
        """The operator for an overload, `namespace.name.overload`."""
        return self.torch.get(target) or self.torch.get(target.rpartition(".")[0])


def extension_of(path: str | Path | None) -> Extension:
    """The extension in the file, or an empty one."""
    return Extension() if path is None else load_extension(Path(path))


def load_extension(path: Path) -> Extension:
    """Import the file and take what it holds.

    Raises `EdgecError` E0102, E0103 (nothing in it), E0201 (it fails) or E0502 (it needs torch, which is missing).
    """
    if path.suffix != ".py":
        raise error("E0103", f"`{path}` is not a Python file", help=["write `--extension my_ops.py`"])
    with user_code(f"importing `{path}`"):
        try:
            module = import_code(str(path))
        except ModuleNotFoundError as missing:
            _check_torch(path, missing)
            raise
    held = list(vars(module).values())
    torch = {_dotted(op.name): op for op in held if isinstance(op, TorchOperator)}
    onnx = {(op.domain, op.op_type): op for op in held if isinstance(op, OnnxOperator)}
    functions = {(f.proto.domain, f.proto.name): f for f in held if isinstance(f, OnnxFunction)}
    if not (torch or onnx or functions):
        raise error(
            "E0103",
            f"`{path}` defines no operator",
            help=["decorate functions with `torch_operator` or `onnx_operator` of `edgec.extension`"],
        )
    return Extension(torch, onnx, functions, path)


def _check_torch(path: Path, missing: ModuleNotFoundError) -> None:
    """Raises E0502 if it is one of the packages for torch's operators, which a build of an ONNX file goes without."""
    package = next((p for p in TORCH if p.module == (missing.name or "").partition(".")[0]), None)
    if package is not None:
        raise error(
            "E0502",
            f"{package.distribution} is not installed",
            place=place_of_failure(missing),
            notes=[f"`{path}` imports it"],
            help=[installation([package]), "keep the operators of ONNX in a file of their own, which needs no torch"],
        ) from missing


def _dotted(name: str) -> str:
    namespace, colons, rest = name.partition("::")
    if not colons or not namespace or not rest:
        raise error(
            "E0103", f"`{name}` is not the name of an operator", help=["torch's operators are named `namespace::name`"]
        )
    return f"{namespace}.{rest}"
