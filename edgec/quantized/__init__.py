"""Quantized models (with quantized activations): their single representation, and how they are checked.

Quantization is discontinuous: the last bit of a float32 decides between two steps, and every later layer depends on it.
Two valid orders of the same operations then differ by whole steps at the output. Such models are therefore checked
value by value, and their artifacts against the effect of one rounding on the model itself (ADR 0007).
"""
