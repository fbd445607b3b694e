"""Every decomposition, by the operator's name."""

from __future__ import annotations

from edgec.frontend.decompose.accurate import ACCURATE
from edgec.frontend.decompose.base import Decomposition
from edgec.frontend.decompose.bits import BITS
from edgec.frontend.decompose.composite import COMPOSITE
from edgec.frontend.decompose.convolution import CONVOLUTION
from edgec.frontend.decompose.counting import COUNTING
from edgec.frontend.decompose.factors import FACTORS
from edgec.frontend.decompose.indexing import INDEXING
from edgec.frontend.decompose.integers import INTEGERS
from edgec.frontend.decompose.interpolate import INTERPOLATE
from edgec.frontend.decompose.linear import LINEAR
from edgec.frontend.decompose.losses import LOSSES
from edgec.frontend.decompose.placing import PLACING
from edgec.frontend.decompose.pointwise import POINTWISE
from edgec.frontend.decompose.pooling import POOLING
from edgec.frontend.decompose.quantization import QUANTIZATION
from edgec.frontend.decompose.recurrent import RECURRENT
from edgec.frontend.decompose.resample import RESAMPLE
from edgec.frontend.decompose.scans import SCANS
from edgec.frontend.decompose.singular import SINGULAR
from edgec.frontend.decompose.special import SPECIAL
from edgec.frontend.decompose.spectra import SPECTRA
from edgec.frontend.decompose.statistics import STATISTICS
from edgec.frontend.decompose.tails import TAILS

DECOMPOSITIONS: dict[str, Decomposition] = {
    **ACCURATE,
    **BITS,
    **COMPOSITE,
    **CONVOLUTION,
    **COUNTING,
    **FACTORS,
    **INDEXING,
    **INTEGERS,
    **INTERPOLATE,
    **LINEAR,
    **LOSSES,
    **PLACING,
    **POINTWISE,
    **POOLING,
    **QUANTIZATION,
    **RECURRENT,
    **RESAMPLE,
    **SCANS,
    **SINGULAR,
    **SPECIAL,
    **SPECTRA,
    **STATISTICS,
    **TAILS,
}
