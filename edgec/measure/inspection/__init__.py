"""Inspection: what an artifact or model file contains, read without running it."""

from edgec.measure.inspection.inspect import inputs_of, inspect
from edgec.measure.inspection.summary import Feature, HeldState, Summary, Weight

__all__ = ["Feature", "HeldState", "Summary", "Weight", "inputs_of", "inspect"]
