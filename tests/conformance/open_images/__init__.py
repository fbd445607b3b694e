"""Vision models with open height and width."""
