"""Exported programs made functional node by node, where that spares torch's exporter a second trace."""
