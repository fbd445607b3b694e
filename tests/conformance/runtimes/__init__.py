"""TFLite files on runtimes of several releases, each in a separate Python environment."""
