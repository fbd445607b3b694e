"""A backend as a third party could write it: its own folder, two table rows, and a target."""
