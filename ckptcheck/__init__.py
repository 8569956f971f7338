"""ckptcheck: if this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?

The public names stand in `__init__.pyi`. Each is loaded when it is first used, so that `ckptcheck --help` need not wait for
pandas.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
