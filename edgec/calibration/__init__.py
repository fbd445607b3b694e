"""What the values of a model are like, observed by running it, as data."""
