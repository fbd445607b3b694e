"""Layout assignment: which operators run in another layout than the source's, decided for a whole graph."""
