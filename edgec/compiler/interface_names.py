"""Checks the names in targets' options as soon as the source's inputs and outputs are known, before any rewriting."""

from __future__ import annotations

from collections.abc import Sequence

from edgec.backends.table import backend
from edgec.diag import Diagnostic, EdgecError, Place
from edgec.diag.suggest import suggest
from edgec.frontend.imported import ImportedModel
from edgec.spec import search
from edgec.spec.target import Target


def check_names(imported: ImportedModel, targets: Sequence[Target], via: str | None) -> None:
    """Raise `EdgecError` E0106 if each target describes an image or labels of a tensor that the source does not have.

    A target that fits is built, and the others' mistakes are told with its result.
    """
    graph = imported.model.graph
    known = [value.name or "" for value in (*graph.inputs, *graph.outputs)]
    found = {target.name: _unknown(target, known, via) for target in targets}
    if all(found.values()):
        raise EdgecError(told for problems in found.values() for told in problems)


def _unknown(target: Target, known: Sequence[str], via: str | None) -> list[Diagnostic]:
    names = dict.fromkeys(d.name for d in backend(target.backend, via).described(target) if d.name not in known)
    return [_told(name, target, known) for name in names]


def _told(name: str, target: Target, known: Sequence[str]) -> Diagnostic:
    near, path = suggest(name, known), search.find("targets", target.name)
    return Diagnostic(
        "E0106",
        f"the options of target `{target.name}` describe `{name}`, which is not an input or output of the model",
        Place(str(path)) if path is not None else None,
        (f"there is {', '.join(f'`{n}`' for n in known)}",),
        (f"did you mean `{near}`?" if near else "correct the name in the target's file, or in `--set`",),
    )
