"""The page of results; a partial run replaces only its own rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.conformance.open_images.judge import TARGETS, Judged

_HEAD = """# Vision models of open height and width

Written by `python -m tests.conformance.open_images --models FOLDER --update`; do not edit.

Each model has random weights, comes with an example of 224 x 224, and is open in height and width by themselves, in the
sizes of the second column (`/32`: in multiples of 32). Each artifact was run at both ends and three sizes inside, and
compared with eager PyTorch: TFLite by LiteRT, Core ML by the MIL interpreter, which rounds to float16 after every
operation, TensorRT's ONNX by ONNX Runtime. The number is the largest difference relative to the output's largest
magnitude. A partial run replaces its own rows; the command knows more models than have a row, and those were not run.
"""


def _row(judged: Judged) -> str:
    cells = judged.found or ("",) * len(TARGETS)
    return f"| {judged.name} | {judged.sizes} | " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def updated(page: Path, results: Sequence[Judged]) -> str:
    """The page updated by these results; rows of other models are kept."""
    lines = page.read_text(encoding="utf-8").splitlines() if page.is_file() else []
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    rows.pop("model", None)
    rows |= {judged.name: _row(judged) for judged in results}
    right = sum(row.count("| right") == len(TARGETS) for row in rows.values())
    left = sum("eager PyTorch does not" in row for row in rows.values())
    said = (
        f"{right} of {len(rows) - left} models are right on every target; {left} more have a fixed size in PyTorch.\n"
    )
    head = [f"| model | open | {' | '.join(TARGETS)} |", "|---|---|" + "---|" * len(TARGETS)]
    return "\n".join([_HEAD, said, *head, *rows.values(), ""])
