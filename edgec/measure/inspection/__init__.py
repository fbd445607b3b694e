"""Inspection: what an artifact or model file contains, read without running it."""

from edgec.measure.inspection.inspect import inputs_of, inspect
from edgec.measure.inspection.summary import Feature, Summary, Weight

__all__ = ["Feature", "Summary", "Weight", "inputs_of", "inspect"]
