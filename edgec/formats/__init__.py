"""File formats, one module each: how a file is read, run, inspected and linted."""
