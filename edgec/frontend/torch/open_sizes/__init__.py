"""Modules with dynamic sizes: the sizes at which they run, the paths they take, and one trace valid for all sizes."""
