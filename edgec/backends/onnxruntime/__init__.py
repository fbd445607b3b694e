"""ONNX Runtime: checked ONNX files at an opset floor, and its own format for mobile builds."""
