"""All ways in which a module keeps something from one call to the next, one class each.

`STATES` are states of the model, each with its names; `CACHES` do not depend on data, or are never read; `REFUSED` are
refused, with the label and the line marked by `# here` (none if what is kept cannot be seen).
"""

from tests.memories import caches, refusals, states
from tests.memories.base import CACHES, REFUSED, STATES

__all__ = ["CACHES", "REFUSED", "STATES", "caches", "refusals", "states"]
