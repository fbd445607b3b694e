"""What loaders, compilers and delegates demand of an artifact, as data: each row with its source."""
