"""From sources to artifacts: the stages and their order, verification, precision fallback, manifests, checks."""
