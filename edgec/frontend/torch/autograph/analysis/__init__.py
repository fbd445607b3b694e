"""Analyses of Python code: names that it reads and binds, and its side effects."""
