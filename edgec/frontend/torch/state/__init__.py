"""What a module keeps from one call to the next: found, told apart from caches, and made a state or refused."""
