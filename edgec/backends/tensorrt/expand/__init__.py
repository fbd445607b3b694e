"""ONNX-to-ONNX rewrites into the forms that TensorRT's parser takes."""
