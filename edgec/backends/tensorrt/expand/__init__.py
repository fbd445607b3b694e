"""ONNX-to-ONNX rewrites into forms that TensorRT's parser supports."""
