"""Decompositions of operators that torch's ONNX exporter translates wrongly or not at all, applied before it runs."""
