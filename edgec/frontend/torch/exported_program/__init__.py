"""`torch.export` archives."""
