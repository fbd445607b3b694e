"""Eager PyTorch in other precisions: half as single, double, and with random rounding."""
