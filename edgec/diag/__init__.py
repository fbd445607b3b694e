"""Diagnostics: data, codes and renderers."""

from edgec.diag.codes import CODES, Code, ExitCode
from edgec.diag.diagnostic import Diagnostic, EdgecError, Interrupted, Place, Severity, error, warning

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "EdgecError",
    "ExitCode",
    "Interrupted",
    "Place",
    "Severity",
    "error",
    "warning",
]
