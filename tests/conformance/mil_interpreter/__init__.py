"""Independent evidence for the MIL interpreter: Apple's op tests and coremltools' conversions."""
