"""Scripts in plain PyTorch: each loses something when it resumes, and nothing with `--fixed`."""
