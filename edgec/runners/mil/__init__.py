"""A MIL interpreter: executes a saved Core ML `.mlpackage` (ML Program) without Apple's frameworks."""

from edgec.runners.mil.runner import Feature, MilRunner

__all__ = ["Feature", "MilRunner"]
