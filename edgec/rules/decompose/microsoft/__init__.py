"""Operators of the `com.microsoft` domain, which exporters and ONNX Runtime's optimizer write."""
