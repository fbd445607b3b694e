"""Functions and modules of torch in forms that it can trace."""
