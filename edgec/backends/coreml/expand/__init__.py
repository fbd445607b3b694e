"""ONNX-to-ONNX rewrites into forms that MIL supports."""
