"""Operators that torch's ONNX exporter translates wrongly or not at all, in terms of others, before it sees them."""
