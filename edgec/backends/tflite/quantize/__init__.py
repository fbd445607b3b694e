"""Quantization of a float program: of its weights, or of its computation."""
