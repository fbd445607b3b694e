"""ONNX's own backend tests, run through canonicalization and through every target."""
