"""ONNX-to-ONNX rewrites into the forms that MIL takes."""
