"""From a source to artifacts: the stages in their order, verification, precision fallback, manifests, checks."""
