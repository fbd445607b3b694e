"""State that a module keeps between calls: detected, distinguished from caches, and made explicit or refused."""
