"""PyTorch's operator database through the frontend and canonicalization."""
