"""Calibration: the observed values of a model on its samples, as plain data."""
