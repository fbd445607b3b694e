"""What TensorRT's parser demands of the ONNX that an engine is built from."""
