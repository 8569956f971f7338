"""Tensors of PyTorch as NumPy arrays, bit for bit."""

from typing import Any

import ml_dtypes
import numpy as np
import torch

from ckptcheck.arrays import Array
from ckptcheck.run.containers import attributes

# The largest tensor outside of every module that is copied from a device.
MOST_BYTES = 1 << 30
# What an optimizer itself has: its state, which is read by the names of its parameters.
_OF_OPTIMIZER = ("state", "param_groups", "defaults")
# PyTorch's types that NumPy has not: an integer of the same width, and the type of ml_dtypes.
_WITHOUT_NUMPY = {
    torch.bfloat16: (torch.int16, ml_dtypes.bfloat16),
    torch.float8_e4m3fn: (torch.uint8, ml_dtypes.float8_e4m3fn),
    torch.float8_e4m3fnuz: (torch.uint8, ml_dtypes.float8_e4m3fnuz),
    torch.float8_e5m2: (torch.uint8, ml_dtypes.float8_e5m2),
    torch.float8_e5m2fnuz: (torch.uint8, ml_dtypes.float8_e5m2fnuz),
}


def has_values(tensor: torch.Tensor) -> bool:
    """Return whether a tensor has dense values in memory, unlike one of a lazy layer."""
    return (
        tensor.layout is torch.strided
        and not (tensor.is_quantized or tensor.is_meta)
        and not torch.nn.parameter.is_lazy(tensor)
    )


def as_array(tensor: torch.Tensor) -> Array:
    """Return a copy of a tensor's values, in its own type.

    Raises:
        TypeError: It has no dense values in memory: it is sparse, quantised, lazy, or on `meta`.
    """
    if not has_values(tensor):
        raise TypeError(f"a tensor of layout {tensor.layout} on {tensor.device} has no values")
    if _is_plain(tensor):
        return np.array(tensor.detach().numpy())  # a third of the time of what follows
    dense = tensor.detach().resolve_conj().resolve_neg().to("cpu", copy=True).contiguous()
    if dense.dtype in _WITHOUT_NUMPY:
        integer, dtype = _WITHOUT_NUMPY[dense.dtype]
        return np.asarray(dense.view(integer).numpy().view(dtype))
    return np.asarray(dense.numpy())


def as_loose_array(value: object) -> Array | None:
    """Return the values of a tensor that is no parameter, not copied where NumPy can show them.

    Returns:
        None: it is none, or has no values, or is too large to be copied from a device.
    """
    if not isinstance(value, torch.Tensor) or isinstance(value, torch.nn.Parameter):
        return None
    if not has_values(value):
        return None
    if _is_plain(value):
        return np.asarray(value.detach().numpy())
    return as_array(value) if value.nbytes <= MOST_BYTES else None


def added(value: object) -> dict[str, Any]:
    """Return what a program may have put onto a module or an optimizer, of whatever class."""
    if not isinstance(value, (torch.nn.Module, torch.optim.Optimizer)):
        return {}
    return {
        name: each
        for name, each in attributes(value).items()
        if not name.startswith("_") and name not in _OF_OPTIMIZER
    }


def _is_plain(tensor: torch.Tensor) -> bool:
    """Return whether NumPy can show a tensor's values where they are."""
    return tensor.device.type == "cpu" and not (
        tensor.is_neg() or tensor.is_conj() or tensor.dtype in _WITHOUT_NUMPY
    )
