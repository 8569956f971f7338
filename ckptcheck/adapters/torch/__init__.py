"""The edge to PyTorch. PyTorch is loaded when the base class of jobs is used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
