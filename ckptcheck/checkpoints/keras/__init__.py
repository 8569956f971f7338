"""Files of Keras: `.keras`, `.weights.h5`, HDF5."""
