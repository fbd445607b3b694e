"""Apple's own kernels: Core ML on a Mac, and on a device connected to one. Works only on a Mac."""
