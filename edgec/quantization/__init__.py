"""Quantization: parameters, the solvers that compute them from ranges, and weights with few bits."""
