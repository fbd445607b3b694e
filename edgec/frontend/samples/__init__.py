"""Sample inputs for verification: examples, seeded random inputs similar to them, and samples from files."""
