"""The operators that random networks are made of: the layers, then the functions, which is the order of the draws."""

from tests.random_networks import functions, layers
from tests.random_networks.registry import OPERATORS as NOTED

OPERATORS = {name: NOTED[name] for module in (layers, functions) for name in vars(module) if name in NOTED}
