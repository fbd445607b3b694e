"""Equivalent rewrites that reduce LiteRT's work."""
