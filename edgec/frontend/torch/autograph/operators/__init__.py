"""What rewritten functions call when they are traced."""
