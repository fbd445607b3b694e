"""All ways from a tensor's data to a Python value, one function each; decisions must become selections, or be refused.

`RIGHT` are computed as in Python, on every input; `REFUSED` are refused, with the label (or none for "cannot be
rewritten") and the line marked by `# here`.
"""

from tests.data_to_python import computed, refusals
from tests.data_to_python.base import REFUSED, RIGHT

__all__ = ["REFUSED", "RIGHT", "computed", "refusals"]
