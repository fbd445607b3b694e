"""scikit-learn estimators and pipelines from `.skops` files: loaded without pickle, converted by skl2onnx."""
