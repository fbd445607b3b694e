"""Small random networks of many operators, built for every target and compared with eager PyTorch."""
