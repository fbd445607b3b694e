"""Sources in half precision, taken in single: modules while they run, ONNX graphs as they are read."""
