"""A function's source, rewritten into calls of the operators."""
