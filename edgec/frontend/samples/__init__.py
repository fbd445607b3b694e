"""What a model is tried on: example inputs, seeded ones like them, and those that files hold."""
