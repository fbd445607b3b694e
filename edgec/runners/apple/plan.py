"""The units on which Core ML intends to run each operation, from `MLComputePlan` (macOS 14.4)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgec.diag import error
from edgec.diag.foreign import said
from edgec.runners.apple.mac import UNITS, need_mac

_UNITS = {"MLNeuralEngineComputeDevice": "ane", "MLGPUComputeDevice": "gpu", "MLCPUComputeDevice": "cpu"}
"""coremltools' device classes (`coremltools.models.compute_device`)."""


@dataclass(frozen=True)
class Assigned:
    """One operation, by type and first output's name: its unit, the units that support it, and its share.

    `share` is Core ML's own estimate of the operation's share of a run, 0 to 1; None if it gives none.
    """

    op: str
    name: str
    unit: str
    supported: tuple[str, ...]
    share: float | None


def compute_plan(path: Path, compute_units: str = "all", function: str = "main") -> tuple[Assigned, ...]:
    """The plan for a package on this Mac, including nested blocks, without constants.

    Raises `EdgecError` E0701 without a Mac, E0602 if Core ML cannot compile the package.
    """
    need_mac(f"the compute plan of `{path.name}`")
    import coremltools as ct
    from coremltools.models.compute_plan import MLComputePlan

    try:
        compiled = ct.models.utils.compile_model(str(path))
    except (RuntimeError, ValueError) as failure:
        raise error(
            "E0602",
            f"Core ML cannot compile `{path.name}`",
            notes=[said("Core ML", failure)],
            help=["`edgec lint` lists what Core ML refuses"],
        ) from failure
    try:
        plan = MLComputePlan.load_from_path(compiled, compute_units=getattr(ct.ComputeUnit, UNITS[compute_units]))
        block = plan.model_structure.program.functions[function].block
        return tuple(found for op in _operations(block) if (found := _assigned(plan, op)) is not None)
    finally:
        shutil.rmtree(compiled, ignore_errors=True)


def _operations(block: Any) -> Iterator[Any]:
    for operation in block.operations:
        yield operation
        for nested in operation.blocks:
            yield from _operations(nested)


def _assigned(plan: Any, operation: Any) -> Assigned | None:
    usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
    if usage is None or not operation.outputs:
        return None
    cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
    return Assigned(
        operation.operator_name.rpartition(".")[2],
        operation.outputs[0].name,
        _unit(usage.preferred_compute_device),
        tuple(sorted(_unit(device) for device in usage.supported_compute_devices)),
        None if cost is None else float(cost.weight),
    )


def _unit(device: Any) -> str:
    name = type(device).__name__
    return _UNITS.get(name, name)
