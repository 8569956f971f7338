"""Scripts with the Trainer: each but one loses something, and nothing with `--fixed`."""
