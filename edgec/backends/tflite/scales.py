"""Quantization parameters in a file: equal tables, and equal vectors in them, are written once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edgec.quantization.parameters import Quantization


@dataclass
class Scales:
    """The tables of one file, by what they hold: most tensors share theirs, and all zero points of weights are 0."""

    schema: Any
    _tables: dict[Quantization, int] = field(default_factory=dict)
    _vectors: dict[bytes, int] = field(default_factory=dict)

    def table(self, found: Quantization) -> Any:
        """What the schema's `TensorT` takes as its quantization."""
        return _Table(self, found)

    def pack(self, builder: Any, found: Quantization) -> int:
        """The place of the table in the file, written now where it was not before."""
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
    """Stands where the schema's classes have a table of their own."""

    scales: Scales
    found: Quantization

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the generated classes' name
        return self.scales.pack(builder, self.found)
