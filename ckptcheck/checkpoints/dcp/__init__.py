"""Folders of PyTorch's distributed checkpoints (DCP)."""
