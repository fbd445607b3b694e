"""Numbers as steps of a scale: parameters, the ranges that they are solved from, and weights in few bits."""
