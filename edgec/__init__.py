"""edgec: an edge and mobile deployment compiler frontend."""

__version__ = "0.1.0"
