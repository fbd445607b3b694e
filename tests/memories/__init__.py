"""Every way in which a module keeps something from one call to the next, one class a way.

`STATES` are states of the model, each with its names; `CACHES` depend on no data, or nobody reads them; `REFUSED` are,
with the label and the line on which `# here` stands (none where what is kept cannot be seen).
"""

from tests.memories import caches, refusals, states
from tests.memories.base import CACHES, REFUSED, STATES

__all__ = ["CACHES", "REFUSED", "STATES", "caches", "refusals", "states"]
