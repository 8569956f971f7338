"""Whether PyTorch was asked for deterministic operations."""

import torch


def is_deterministic() -> bool:
    """Return whether `torch.use_deterministic_algorithms(True)` was called."""
    return bool(torch.are_deterministic_algorithms_enabled())
