"""Activations that leave float16's range, held as a power of two of themselves."""
