"""TorchScript archives: loaded, interpreted node by node, and thereby exported like any module."""
