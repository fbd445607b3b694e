"""Makes exported programs functional node by node, if that avoids a second trace by torch's exporter."""
