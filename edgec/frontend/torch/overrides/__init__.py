"""Functions and modules of torch, replaced by forms that can be traced."""
