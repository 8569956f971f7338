"""TensorFlow and Keras: their objects turned into what `ckptcheck.job` asks for. This file loads neither."""
