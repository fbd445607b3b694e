"""A MIL interpreter: executes a saved Core ML `.mlpackage` (ML Program) without Apple's frameworks."""

from edgec.runners.mil.interface import Feature
from edgec.runners.mil.runner import MilRunner

__all__ = ["Feature", "MilRunner"]
