"""Base class for Keras 3 jobs that train with `fit`: a callback records the steps."""

from ckptcheck.adapters.tensorflow.fit import FitJob as FitJob
