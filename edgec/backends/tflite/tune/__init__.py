"""Rewrites that keep the function and make LiteRT's work less."""
