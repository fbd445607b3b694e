"""float16: which operators stay in float32, the casts between, and rewrites that keep values in range."""
