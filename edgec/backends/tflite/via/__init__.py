"""Another emitter than edgec's own, in an environment of its own."""
