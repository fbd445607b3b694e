"""Quantization parameters in a file: equal tables and vectors are written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgec.quantization.parameters import Quantization


@dataclass
class Scales:
    """The tables of one file by content: many tensors share one, and all zero points of weights are 0."""

    schema: Any
    _tables: dict[Quantization, int] = field(default_factory=dict)
    _vectors: dict[bytes, int] = field(default_factory=dict)

    def table(self, found: Quantization) -> Any:
        """An object for the quantization field of the schema's `TensorT`."""
        return _Table(self, found)

    def pack(self, builder: Any, found: Quantization) -> int:
        """The offset of the table in the file, which is written on first use."""
        if found not in self._tables:
            scale = self._vector(builder, np.asarray(found.scales, np.float32))
            zeros = self._vector(builder, np.asarray(found.zero_points, np.int64))
            self.schema.QuantizationParametersStart(builder)
            self.schema.QuantizationParametersAddScale(builder, scale)
            self.schema.QuantizationParametersAddZeroPoint(builder, zeros)
            self.schema.QuantizationParametersAddQuantizedDimension(builder, found.axis)
            self._tables[found] = self.schema.QuantizationParametersEnd(builder)
        return self._tables[found]

    def _vector(self, builder: Any, array: np.ndarray[Any, Any]) -> int:
        key = array.dtype.str.encode() + array.tobytes()
        if key not in self._vectors:
            self._vectors[key] = builder.CreateNumpyVector(array)
        return self._vectors[key]


@dataclass(frozen=True)
class _Table:
    """Replaces the schema's table class, so that equal tables are shared."""

    scales: Scales
    found: Quantization

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated classes' name
        return self.scales.pack(builder, self.found)
