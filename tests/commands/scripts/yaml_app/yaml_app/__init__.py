"""Train a small scoring model from a YAML configuration."""
