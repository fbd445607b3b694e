"""Modules of open sizes: the sizes at which they run, the ways that they take, and one trace that holds for all."""
