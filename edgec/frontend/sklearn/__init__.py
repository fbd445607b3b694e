"""scikit-learn estimators and pipelines, from `.skops` files: read without a pickle, converted by skl2onnx."""
