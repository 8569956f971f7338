"""Tensor bundles, the V2 checkpoints of TensorFlow."""
