"""Eager PyTorch in other precisions: half as single, double, and rounded at random."""
