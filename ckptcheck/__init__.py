"""ckptcheck: does a training job restored from its checkpoint continue as if never interrupted?

`__init__.pyi` lists the public names. Each is loaded on first use, so that `ckptcheck --help` does
not wait for pandas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
