"""TFLite files on real runtimes of several releases, each in a Python environment of its own."""
