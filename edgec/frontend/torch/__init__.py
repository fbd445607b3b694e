"""PyTorch modules as sources."""
