"""Evidence for the MIL interpreter by people who did not write it: Apple's op tests, coremltools' conversions."""
