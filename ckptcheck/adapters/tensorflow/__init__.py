"""TensorFlow and Keras behind the protocols of `ckptcheck.job`. This file imports neither."""
