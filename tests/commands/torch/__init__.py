"""PyTorch training scripts, verified as they are. `scripts/` holds them; none knows of ckptcheck."""
