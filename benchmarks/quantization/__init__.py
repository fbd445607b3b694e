"""Task accuracy and size of quantized artifacts with trained weights, beside float ones and a peer's."""
