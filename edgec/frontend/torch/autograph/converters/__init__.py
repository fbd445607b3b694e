"""Rewrites a function's source into calls of the runtime's operators."""
