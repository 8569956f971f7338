"""The edge to PyTorch."""
