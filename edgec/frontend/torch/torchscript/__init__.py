"""TorchScript archives: read, interpreted node by node, and so exported like any module."""
