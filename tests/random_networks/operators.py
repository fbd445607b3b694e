"""The operators of random networks: layers, then functions, in the order of the draws."""

from tests.random_networks import functions, layers
from tests.random_networks.registry import OPERATORS as NOTED

OPERATORS = {name: NOTED[name] for module in (layers, functions) for name in vars(module) if name in NOTED}
