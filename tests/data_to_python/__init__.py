"""Every way from a tensor's data to a Python value, one function a way: what decides must be a selection, or refused.

`RIGHT` are computed as Python does, on every input; `REFUSED` are, with the label (or none for "cannot be rewritten")
and the line on which `# here` stands.
"""

from tests.data_to_python import computed, refusals
from tests.data_to_python.base import REFUSED, RIGHT

__all__ = ["REFUSED", "RIGHT", "computed", "refusals"]
