"""Apple's own kernels: Core ML on a Mac, and on a device that is plugged into one. Nothing here works elsewhere."""
