"""A program of floats as one that holds its weights, or computes, in integers."""
