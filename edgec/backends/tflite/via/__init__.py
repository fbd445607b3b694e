"""Another emitter than edgec's own, in a separate environment."""
