"""One network on every target: built or refused, and whether its artifact is right on inputs other than the example."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edgec.compiler.build import Built, compile_target
from edgec.compiler.options import BuildOptions
from edgec.compiler.stages import prepare_imported
from edgec.diag import Diagnostic, EdgecError
from edgec.frontend.imported import SourceId
from edgec.frontend.torch.export import export_module
from edgec.frontend.torch.request import ExportRequest
from edgec.runners.open import open_runner
from edgec.spec.target import load_target
from tests.random_networks.network import Subject

EXCUSED = {"float32": (1e-4, 2e-7), "float16": (2e-2, 2e-3)}
"""By precision: the largest error relative to an output's largest magnitude, and the relative perturbation of inputs
and weights whose effect on the network excuses more: it is discontinuous there (a floor, a comparison, an argmax)."""

_TIMES = 12
"""Number of perturbed runs: a discontinuity may show in only a few of them."""

_MOVEMENTS = 8.0
"""Factor by which the effect of a perturbation is multiplied."""


@dataclass(frozen=True)
class Outcome:
    """`kind` is built, refused, missed (its own check), wrong or broken (an internal error); `what` gives details.

    `told`: differs from PyTorch where a note (E0613) says that float16 may decide differently.
    """

    seed: int
    target: str
    kind: str
    what: str = ""
    operators: tuple[str, ...] = ()


def outcomes(subject: Subject, targets: Sequence[str]) -> Iterator[Outcome]:
    """The outcome of a network on each target."""

    def outcome(target: str, kind: str, what: str = "") -> Outcome:
        return Outcome(subject.seed, target, kind, what, subject.operators)

    with tempfile.TemporaryDirectory() as folder:
        options = BuildOptions(out=Path(folder))
        source = SourceId("module", f"random network {subject.seed}", "")
        module = copy.deepcopy(subject.network)
        try:
            request = ExportRequest("net", source, module, subject.example)
            prepared = prepare_imported(export_module(request), options, lambda _: None)
        except EdgecError as refused:
            yield from (outcome(t, "refused", label(refused.diagnostics[0])) for t in targets)
            return
        except Exception as failure:  # a crash from a user's point of view
            yield from (outcome(t, "broken", f"{type(failure).__name__}: {failure}"[:200]) for t in targets)
            return
        for target in targets:
            try:
                built = compile_target(prepared, load_target(target), options, lambda _: None)
                yield outcome(target, *_found(built, subject))
            except EdgecError as refused:
                yield outcome(target, "refused", label(refused.diagnostics[0]))
            except Exception as failure:  # as above
                yield outcome(target, "broken", f"{type(failure).__name__}: {failure}"[:200])


def _found(built: Built, subject: Subject) -> tuple[str, str]:
    if built.failures:
        return "missed", built.failures[0].message
    kind, what = judged(built, subject)
    close = any(d.code == "E0613" for d in built.told)
    return ("told" if kind == "wrong" and close else kind), what


def label(diagnostic: Diagnostic) -> str:
    """The code and label of a refusal."""
    told = [note for note in diagnostic.notes if "rejected by" in note]
    return f"{diagnostic.code} {told[0] if told else diagnostic.message}"


def judged(built: Built, subject: Subject) -> tuple[str, str]:
    """Whether the artifact computes the same as PyTorch, on inputs other than the example."""
    precision = "float16" if built.manifest.format == "mlpackage" else "float32"
    bound, movement = EXCUSED[precision]
    with open_runner(built.folder / built.manifest.artifact.path, as_source=built.manifest.shown) as runner:
        for inputs in subject.others():
            given = {t.name: x.numpy() for t, x in zip(built.manifest.inputs, inputs, strict=True)}
            found = list(runner.run(given).values())
            expected = _eager(subject, inputs)
            moved = [_eager(subject, inputs, movement, seed) for seed in range(_TIMES)]
            for i, (want, got) in enumerate(zip(expected, found, strict=True)):
                if want.shape != got.shape:
                    return "wrong", f"output {i} has shape {list(got.shape)}, not {list(want.shape)}"
                excused = bound * max(float(np.abs(want).max()), 1e-3)
                own = np.max([np.abs(m[i] - want) for m in moved], axis=0)
                apart = np.abs(want - got.astype(np.float64)) - _MOVEMENTS * own
                if not float(apart.max()) <= excused:
                    return "wrong", f"output {i} is off by {float(apart.max()):.3g}, {excused:.3g} is accepted"
    return "built", ""


def _eager(subject: Subject, inputs: Sequence[torch.Tensor], movement: float = 0.0, seed: int = 0) -> list[np.ndarray]:
    """The network's results with slightly perturbed inputs and weights."""
    network = copy.deepcopy(subject.network)
    generator = torch.Generator().manual_seed(seed)

    def moved(x: torch.Tensor) -> torch.Tensor:
        return x * (1 + movement * torch.randn(x.shape, generator=generator)) if movement else x

    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(moved(parameter))
        return [y.double().numpy() for y in network(*map(moved, inputs))]
