"""Adapt a device's predictors to the user's own measurements, kept in the user's own folder of profiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from edgec.backends.table import backend
from edgec.compiler.latency import estimated
from edgec.compiler.options import BuildOptions, Progress, targets_of
from edgec.compiler.range_samples import within_ranges
from edgec.compiler.stages import lower, prepare
from edgec.diag import Diagnostic, EdgecError, Place, error
from edgec.frontend.request import SourceRequest
from edgec.latency.adapt import Own, adapted
from edgec.latency.predictor import FOLDER, SUBFOLDER, Predictor
from edgec.latency.predictor_text import write
from edgec.latency.tables import rows_of
from edgec.spec.device import load_device

_COLUMNS = ("source", "target", "latency_ms")


def adapt(device: str, measurements: Path, progress: Progress) -> list[Path]:
    """Adapt every predictor that a measurement was made on; the files that were written, below `./device_profiles`.

    The folder holds tables (*.csv) with the columns source, target and latency_ms. Raises `EdgecError` E0102 without
    one, E0105 for no device, E0106 with the line of what is wrong in a table, and as a prediction does.
    """
    load_device(device)
    found: dict[str, tuple[Predictor, list[Own]]] = {}
    for source, target, ms in _read(measurements):
        own = _predicted(source, target, ms, device, progress)
        found.setdefault(own.predicted.predictor.name, (own.predicted.predictor, []))[1].append(own)
    paths = []
    for name, (predictor, mine) in found.items():
        paths.append(Path(FOLDER) / SUBFOLDER / f"{name}-{device}.toml")
        write(adapted(predictor, device, mine), paths[-1])
    return paths


def _predicted(source: str, name: str, ms: float, device: str, progress: Progress) -> Own:
    options = BuildOptions(device=device)
    (target,) = targets_of([name], options)
    prepared, _ = within_ranges(prepare(SourceRequest(source), options, progress), target)
    chosen = backend(target.backend)
    return Own(ms, estimated(chosen, lower(prepared, target, chosen).program, target, device))


def _read(folder: Path) -> Sequence[tuple[str, str, float]]:
    tables = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not tables:
        raise error("E0102", f"`{folder}` holds no tables", help=["give a folder with *.csv"])
    problems, found = [], []
    for path in tables:
        rows = rows_of(path)
        missing = [column for column in _COLUMNS if not rows or column not in rows[0][1]]
        if missing:
            problems.append(Diagnostic("E0106", f"the table lacks {', '.join(missing)}", Place(str(path), 1)))
            continue
        for line, row in rows:
            ms = _number(row["latency_ms"])
            if ms > 0:
                found.append((row["source"], row["target"], ms))
                continue
            said = f"`latency_ms` is `{row['latency_ms']}`, not milliseconds above 0"
            problems.append(Diagnostic("E0106", said, Place(str(path), line)))
    if problems:
        raise EdgecError(problems)
    return found


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0
