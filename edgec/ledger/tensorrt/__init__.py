"""The requirements of TensorRT's parser for the ONNX that an engine is built from."""
