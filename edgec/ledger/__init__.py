"""The requirements of loaders, compilers and delegates for an artifact, as data: rows with their sources."""
