"""Rows about delegates: an operator that one does not support runs on the CPU, and partitions the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgec.diag import Severity, error
from edgec.ledger.row import Breach, Row
from edgec.ledger.tflite.delegates import DELEGATES, SIZES, UNITS, Delegate, sized_by_data
from edgec.ledger.tflite.file import TFLiteFile
from edgec.ledger.tflite.uses import uses

_BY = {"xnnpack": "XNNPACK", "gpu": "the GPU delegate", "nnapi": "NNAPI", "qnn": "Qualcomm's NPU"}


def rows_of(units: tuple[str, ...]) -> tuple[Row[TFLiteFile], ...]:
    """The requirements of these delegates. Raises `EdgecError` E0101 for an unknown delegate."""
    if unknown := sorted(set(units) - set(UNITS)):
        raise error("E0101", f"`{unknown[0]}` is not a delegate", help=[f"one of {', '.join(UNITS)}"])
    return tuple(row for delegate in DELEGATES if delegate.unit in units for row in _rows(delegate))


def _rows(delegate: Delegate) -> Iterator[Row[TFLiteFile]]:
    for condition, demand in delegate.conditions:
        label, by = f"{delegate.unit}-{condition}", _BY[delegate.unit]
        check = _sizes if condition == SIZES else _unmet(delegate, condition)
        yield Row(label, demand, by, delegate.evidence, check, severity=Severity.WARNING)


def _unmet(delegate: Delegate, condition: str) -> Callable[[TFLiteFile], Iterator[Breach]]:
    def check(file: TFLiteFile) -> Iterator[Breach]:
        for operator, use in uses(file):
            if delegate.unmet(use) == condition:
                yield Breach(operator.where, f"on {', '.join(_told(v.dtype, v.shape) for _, v in use.operands[:3])}")

    return check


def _told(dtype: str, shape: tuple[int | str, ...]) -> str:
    return f"{dtype}[{', '.join(map(str, shape))}]"


def _sizes(file: TFLiteFile) -> Iterator[Breach]:
    deciding = sized_by_data(use for _, use in uses(file))
    if deciding:
        yield Breach("", f"the delegate runs nothing of the graph: {' '.join(deciding)}")


ROWS: tuple[Row[TFLiteFile], ...] = rows_of(UNITS)
