"""What a piece of Python reads, binds and changes."""
