"""The Python API: the equivalent of the command line, for models in memory as well as for files."""

from edgec.api.functions import PartialBuildError, build, check, diff, evaluate, inspect, predict, run
from edgec.compiler.build import Built
from edgec.diag import Diagnostic, EdgecError

__all__ = [
    "Built",
    "Diagnostic",
    "EdgecError",
    "PartialBuildError",
    "build",
    "check",
    "diff",
    "evaluate",
    "inspect",
    "predict",
    "run",
]
