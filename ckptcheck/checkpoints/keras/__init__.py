"""Keras files: `.keras`, `.weights.h5` and legacy HDF5."""
