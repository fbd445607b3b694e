"""Activations beyond float16's range, scaled by powers of two."""
