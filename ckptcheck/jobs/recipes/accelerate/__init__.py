"""Scripts with Accelerate: each but one loses something, and nothing with `--fixed`."""
