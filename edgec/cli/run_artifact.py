"""`edgec run`: execute an artifact, and show what it gives to a person."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgec.cli.artifacts import Where
from edgec.cli.columns import filled
from edgec.cli.document import print_json
from edgec.cli.request_options import Json
from edgec.cli.rewrites import aligned
from edgec.cli.run import guarded
from edgec.cli.terminal import columns_of

if TYPE_CHECKING:
    from edgec.compiler.running import Ran

_TOP = 5
"""Labels that are shown."""
_FEW = 8
"""Values of a tensor that are shown."""
_EXACT = 4096
"""Values of a tensor up to which `--json` holds all of them."""


def run_command(
    artifact: Annotated[Path, typer.Argument(help="An artifact, its manifest.json or a build's folder.")],
    input: Annotated[
        list[str] | None,
        typer.Option("--input", help="FILE.npy, FILE.npz, FILE.png or FILE.jpg; NAME=FILE for one input of several."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="A classifier's labels: a file, one a line.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Run several times and carry the states from each run to the next.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="For Core ML packages: float16 (the default) or float32.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="The function to use, for a Core ML package with several.")
    ] = None,
    on: Where = "local",
    out: Annotated[Path | None, typer.Option(help="Write each output to this folder as NAME.npy.")] = None,
    json: Json = False,
) -> None:
    """Run an artifact on this machine, Core ML packages included, and show its outputs."""

    def body() -> int:
        from edgec.compiler.running import RunRequest, run_artifact
        from edgec.measure.saved import save_outputs

        ran = run_artifact(RunRequest(artifact, tuple(input or ()), labels, steps, precision, function, on))
        if out is not None:
            save_outputs(ran.outputs, out)
        print_json(_document(ran)) if json else print("\n".join(_lines(ran, columns_of(sys.stdout))))
        return 0

    raise typer.Exit(guarded(body, as_document=json))


def _document(ran: Ran) -> dict[str, Any]:
    """Exact values; those that JSON lacks (NaN, infinities) are texts."""
    outputs = []
    for name, array in ran.outputs.items():
        spread = dict(zip(("least", "mean", "largest"), map(_json, _spread(array)), strict=True))
        values = _json(array.tolist()) if array.size <= _EXACT else None
        top = [{"label": label, "score": _json(score)} for label, score in _top(ran, name)]
        more = {"top": top} if top else {}
        outputs.append({"name": name, "type": _type(array), **spread, "values": values, **more})
    return {"artifact": str(ran.path), "runner": ran.runner, "steps": ran.steps, "outputs": outputs}


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _lines(ran: Ran, width: int | None) -> list[str]:
    lines = [f"{ran.steps} steps by {ran.runner}; the outputs of the last one:"] if ran.steps > 1 else []
    lines += [f"note: state `{name}` began as zeros; `--input {name}=FILE.npy` gives it" for name in ran.zeros]
    table = [["output", "type", "min", "mean", "max"]]
    table += [[name, _type(array), *map(_rounded, _spread(array))] for name, array in ran.outputs.items()]
    head, *rows = aligned(table)
    lines.append(head)
    for row, (name, array) in zip(rows, ran.outputs.items(), strict=True):
        lines.append(row)
        best = _top(ran, name)
        if best:
            scored = [[label, _rounded(score)] for label, score in best]
            lines += [f"  {line}" for line in aligned(scored)]
        else:
            lines += filled(_values(array), width, "  ")
    return lines


def _top(ran: Ran, name: str) -> list[tuple[str, float]]:
    """The best labels and their scores."""
    labels = ran.labels.get(name)
    if labels is None:
        return []
    scores = ran.outputs[name].reshape(-1).astype("float64")
    return [(labels[i], float(scores[i])) for i in (-scores).argsort(kind="stable")[:_TOP]]


def _values(array: Any) -> str:
    """The first few values."""
    flat = array.reshape(-1)[:_FEW].tolist()
    more = f" … of {array.size:,} values" if array.size > _FEW else ""
    return " ".join(_rounded(value) for value in flat) + more


def _spread(array: Any) -> Sequence[float | None]:
    """The least, the mean and the largest value."""
    if not array.size or array.dtype.kind not in "fiub":
        return (None, None, None)
    numbers = array.astype("float64")
    return float(numbers.min()), float(numbers.mean()), float(numbers.max())


def _rounded(value: Any) -> str:
    """Four digits of a float; everything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _type(array: Any) -> str:
    kind = "text" if array.dtype.kind == "U" else str(array.dtype)
    return f"{kind}{list(array.shape)}" if array.shape else kind
