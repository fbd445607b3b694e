"""All decompositions of torch's operators, in three tables.

`DECOMPOSITIONS` compute with tensors: `splice.py` inserts the trace of an entry into the graph. `NODE_DECOMPOSITIONS`
build nodes without a trace, for calls that `DECOMPOSITIONS` does not handle, once a program is functional.
`COMPLEX_DECOMPOSITIONS` represent complex tensors as pairs of real ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgec.frontend.torch.decompositions.accurate import ACCURATE
from edgec.frontend.torch.decompositions.base import Decomposition
from edgec.frontend.torch.decompositions.bits import BITS
from edgec.frontend.torch.decompositions.complex_numbers import COMPLEX_DECOMPOSITIONS
from edgec.frontend.torch.decompositions.composite import COMPOSITE
from edgec.frontend.torch.decompositions.convolution import CONVOLUTION
from edgec.frontend.torch.decompositions.counting import COUNTING
from edgec.frontend.torch.decompositions.factors import FACTORS
from edgec.frontend.torch.decompositions.indexing import INDEXING
from edgec.frontend.torch.decompositions.integers import INTEGERS
from edgec.frontend.torch.decompositions.interpolate import INTERPOLATE
from edgec.frontend.torch.decompositions.linear import LINEAR
from edgec.frontend.torch.decompositions.losses import LOSSES
from edgec.frontend.torch.decompositions.nodes import NODE_DECOMPOSITIONS
from edgec.frontend.torch.decompositions.placing import PLACING
from edgec.frontend.torch.decompositions.pointwise import POINTWISE
from edgec.frontend.torch.decompositions.pooling import POOLING
from edgec.frontend.torch.decompositions.quantization import QUANTIZATION
from edgec.frontend.torch.decompositions.recurrent import RECURRENT
from edgec.frontend.torch.decompositions.resample import RESAMPLE
from edgec.frontend.torch.decompositions.scans import SCANS
from edgec.frontend.torch.decompositions.singular import SINGULAR
from edgec.frontend.torch.decompositions.special import SPECIAL
from edgec.frontend.torch.decompositions.spectra import SPECTRA
from edgec.frontend.torch.decompositions.statistics import STATISTICS
from edgec.frontend.torch.decompositions.tails import TAILS

__all__ = ["COMPLEX_DECOMPOSITIONS", "DECOMPOSITIONS", "NODE_DECOMPOSITIONS"]


def _joined(*tables: Mapping[str, Decomposition]) -> Mapping[str, Decomposition]:
    """Merge the tables; an operator in two of them is an error."""
    found: dict[str, Decomposition] = {}
    for table in tables:
        if twice := found.keys() & table.keys():
            raise ValueError(f"two decompositions of {', '.join(sorted(twice))}")
        found |= table
    return found


DECOMPOSITIONS = _joined(
    ACCURATE,
    BITS,
    COMPOSITE,
    CONVOLUTION,
    COUNTING,
    FACTORS,
    INDEXING,
    INTEGERS,
    INTERPOLATE,
    LINEAR,
    LOSSES,
    PLACING,
    POINTWISE,
    POOLING,
    QUANTIZATION,
    RECURRENT,
    RESAMPLE,
    SCANS,
    SINGULAR,
    SPECIAL,
    SPECTRA,
    STATISTICS,
    TAILS,
)
"""By operator name, for operators that torch's exporter translates wrongly or not at all."""
