"""What PyTorch keeps to itself, each in a function of its own."""

import sys
from typing import Any

from torch.nn.modules import module

# How far above a hook the call of the module is.
_MOST = 8


def keyword_arguments_of_call() -> dict[str, Any]:
    """Return the keyword arguments of the module whose global hook calls this.

    A hook for every module is given the positional ones alone.
    """
    frame = sys._getframe(1)
    for _ in range(_MOST):
        if frame.f_code.co_filename == module.__file__ and "kwargs" in frame.f_locals:
            return dict(frame.f_locals["kwargs"])
        if frame.f_back is None:
            break
        frame = frame.f_back
    return {}
