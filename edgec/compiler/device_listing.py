"""What `edgec devices` lists: of each device its predictors, and what stands behind them."""

from __future__ import annotations

from edgec.diag import EdgecError
from edgec.latency.predictor import Predictor, predictors_of
from edgec.spec.describe import Listing
from edgec.spec.device import list_devices, load_device

HEADINGS = ("device", "chip", "runs on", "networks", "error", "known by")


def device_listing() -> Listing:
    """A row for each device and predictor. `error`: median, cross-validated on architectures that no fit had seen."""
    found = Listing([HEADINGS])
    for name in list_devices():
        try:
            profile = load_device(name)
            head = (name, profile.soc)
            rows = [(*head, *_predictor(p, name)) for p in predictors_of(name)]
            found.rows.extend(rows or [(*head, "", "", "", "no measurement")])
        except EdgecError as broken:
            found.broken.extend(broken.diagnostics)
    return found


def _predictor(p: Predictor, name: str) -> tuple[str, str, str, str]:
    own = p.devices[name]
    error = f"{own.median_error:.0%}" if own.median_error else ""
    known = f"extrapolated from {own.borrowed}" if own.borrowed else "measured"
    return f"{p.unit} {p.precision}", str(own.models or ""), error, known
