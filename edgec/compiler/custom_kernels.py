"""Verification of artifacts that call user-defined kernels, which cannot be run here."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from edgec.backends.base import Backend
from edgec.compiler.canonical_model import CanonicalModel
from edgec.compiler.manifest import Lowered
from edgec.diag import Diagnostic, error, warning
from edgec.ir.kernels import with_bodies
from edgec.ir.model import Model, static_shape
from edgec.measure.accuracy import Verdict
from edgec.runners.onnxruntime import OnnxRuntimeRunner
from edgec.spec.target import Target


@dataclass(frozen=True)
class Unrun:
    """The verdict on an artifact with custom kernels, and a warning (E0612) that says how it was verified."""

    verdict: Verdict
    told: tuple[Diagnostic, ...]


def verify_unrun(canonical: CanonicalModel, made: Lowered, plain: Lowered, target: Target, chosen: Backend) -> Unrun:
    """Verify by an artifact of the same model in which the kernels are replaced by their bodies, and by `made`'s graph.

    `plain` is the model without the kernels. Raises `EdgecError` E0401 for an interface that the graph does not have.
    """
    assert canonical.calls is not None
    with tempfile.TemporaryDirectory(prefix="edgec-plain-") as folder:
        path = Path(folder) / f"{canonical.imported.name}.{chosen.format(target)}"
        chosen.assemble(plain.program, target, path)
        with chosen.open(path, target) as runner:
            verdict = canonical.verify(runner, target.accept)
    _check_interface(made.legal, canonical.model, target)
    whole = with_bodies(chosen.in_onnx(made.legal), canonical.calls.bodies)
    with OnnxRuntimeRunner(whole, optimize=False) as runner:
        graph = canonical.verify(runner, target.accept)
    named = ", ".join(f"`{name}`" for name in made.kernels)
    told = warning(
        "E0612",
        f"target `{target.name}` calls custom kernels that cannot be run here: {named}",
        notes=["the model was verified with the extension's definitions in place of the kernels"],
        help=["compare the artifact with the source where the kernels are registered"],
    )
    return Unrun(replace(verdict, failures=(*verdict.failures, *graph.failures)), (told,))


def _check_interface(legal: Model, model: Model, target: Target) -> None:
    pairs = zip((*legal.graph.inputs, *legal.graph.outputs), (*model.graph.inputs, *model.graph.outputs), strict=True)
    for value, source in pairs:
        if static_shape(value) != static_shape(source) or value.dtype != source.dtype:
            raise error(
                "E0401",
                f"`{source.name}` changes shape or type in target `{target.name}`: not supported with custom kernels",
                notes=["rejected by `kernel-interface`"],
                help=["remove `--io-layout`, and use float32 inputs"],
            )
