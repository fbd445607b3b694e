"""ONNX Runtime: checked ONNX files of a given opset, and its own format for mobile builds."""
