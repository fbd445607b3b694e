"""What TensorFlow Lite and LiteRT demand of a file."""
