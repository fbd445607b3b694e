"""The requirements of TensorFlow Lite and LiteRT for a file."""
