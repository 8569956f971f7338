"""The edge to PyTorch: the base class of jobs."""

from .job import TorchJob as TorchJob
