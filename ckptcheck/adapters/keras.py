"""Keras 3 jobs that call `fit`: nothing of the loop is rewritten, one callback watches it."""

from ckptcheck.adapters.tensorflow.fit import FitJob as FitJob
