"""Scripts with the Trainer of Transformers: each but one loses something, and nothing with `--fixed`."""
