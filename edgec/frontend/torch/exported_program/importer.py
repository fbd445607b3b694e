"""Imports `torch.export` archives (`.pt2`), without unpickling objects or evaluating code."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from edgec.diag import Place, error
from edgec.diag.foreign import said
from edgec.frontend.archives import BROKEN
from edgec.frontend.imported import ImportedModel, SourceId
from edgec.frontend.request import SourceRequest, source_name
from edgec.frontend.torch.checkpoint import executes_code
from edgec.frontend.torch.export import export_module, quiet
from edgec.frontend.torch.exported_program.container_types import as_dictionaries
from edgec.frontend.torch.request import ExportRequest
from edgec.spec.reads import file_sha256

_PICKLED = ("opaque_obj", "custom_obj")
"""Kinds of constants that torch would unpickle as Python objects."""

_CALLS = frozenset(
    "Symbol Integer Float Rational Max Min Mod Eq Ne Lt Le Gt Ge And Or Not Abs floor ceiling "
    "FloorDiv ModularIndexing Where PythonMod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural "
    "FloatPow FloatTrueDiv IntTrueDiv ToFloat TruncToFloat TruncToInt RoundToInt RoundDecimal Identity "
    "IsNonOverlappingAndDenseIndicator Piecewise Pow Mul Add".split()
)
"""Functions permitted in size expressions of an archive; sympy would call any function."""

_EXPRESSION = re.compile(r"[\w\s()+\-*/%,.<>=&|~!]*")


def import_exported_program(path: Path, request: SourceRequest) -> ImportedModel:
    """Import an archive by exporting its program again.

    Raises `EdgecError` E0203 (unreadable), E0204 (would execute code), E0207 (leaves the archive).
    """
    documents = _check_archive(path)
    with as_dictionaries(documents), quiet():
        program = _load(path)
    return export_program(program, request, SourceId("pt2", request.ref, file_sha256(path)))


def export_program(program: torch.export.ExportedProgram, request: SourceRequest, source: SourceId) -> ImportedModel:
    """Export a program again, with its own example inputs unless `--input` gives others."""
    module = program.module()
    _prepare(module)
    inputs = _examples(program)
    asked = ExportRequest(source_name(request), source, module, inputs, request.inputs, dynamic=request.dynamic)
    return export_module(replace(asked, extension=request.extension))


def _check_archive(path: Path) -> list[bytes]:
    """The archive's documents, after checking that none refers to code or to files outside."""
    place = Place(str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            documents = [archive.read(n) for n in names if n.endswith(".json")]
    except BROKEN as failure:
        raise error(
            "E0203", f"`{path.name}` is not a torch.export archive", place=place, notes=[said("Python", failure)]
        ) from failure
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise error("E0207", f"`{path.name}` contains a member outside the archive: `{name}`", place=place)
        if PurePosixPath(name).name.startswith(_PICKLED):
            raise executes_code(path, f"its member `{name}` is a pickled constant")
    for document in documents:
        for expression in _expressions(document, path):
            _check_expression(expression, path)
    return documents


def _expressions(document: bytes, path: Path) -> Iterator[str]:
    """All size expressions in a document of the archive."""
    try:
        pending: list[Any] = [json.loads(document)]
    except (ValueError, RecursionError) as failure:
        raise error("E0203", f"`{path.name}` contains a broken document", place=Place(str(path))) from failure
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += item.values()
            if isinstance(item.get("expr_str"), str):
                yield item["expr_str"]
        elif isinstance(item, list):
            pending += item


def _check_expression(expression: str, path: Path) -> None:
    expression = re.sub(r"'\w+'", "", expression)  # names of symbols
    calls = set(re.findall(r"([A-Za-z_]\w*)\s*\(", expression))
    members = re.search(r"\.\s*[A-Za-z_]", expression)
    if not _EXPRESSION.fullmatch(expression) or "__" in expression or members or calls - _CALLS:
        raise error(
            "E0204",
            f"`{path.name}` contains a size expression that would execute code",
            place=Place(str(path)),
            notes=[f"it is `{expression[:80]}`"],
        )


def _load(path: Path) -> torch.export.ExportedProgram:
    with _weights_only():
        try:
            return torch.export.load(path)
        except Exception as failure:  # torch's parsers raise various exceptions
            raise error(
                "E0203",
                f"torch cannot read `{path.name}`",
                place=Place(str(path)),
                notes=[said("torch", failure)],
                help=["save it again with `torch.export.save` of the installed torch"],
            ) from failure


@contextmanager
def _weights_only() -> Iterator[None]:
    """Set the variable that prevents torch from falling back to full unpickling."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _prepare(module: torch.fx.GraphModule) -> None:
    """Avoid dependence on a kernel's layout: views become reshapes, and attention's result contiguous."""
    aten = torch.ops.aten
    for node in list(module.graph.nodes):
        if node.op == "call_function" and node.target is aten.view.default:
            node.target = aten.reshape.default
        if node.op == "call_function" and node.target is aten.scaled_dot_product_attention.default:
            node.target = torch.nn.functional.scaled_dot_product_attention
    module.recompile()


def _examples(program: torch.export.ExportedProgram) -> Any:
    given = program.example_inputs
    if given is None:
        return None
    args, kwargs = given
    return tuple(args) if args or not kwargs else dict(kwargs)
