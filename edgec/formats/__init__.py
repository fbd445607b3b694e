"""One module for each file format: how it is read, run, looked into and held against what loaders demand."""
