"""The operators that rewritten functions call while they are traced."""
