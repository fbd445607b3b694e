"""A backend as somebody else may write one: a folder of its own, two table rows, and a target."""
