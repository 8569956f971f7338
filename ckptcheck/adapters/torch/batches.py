"""The arrays of a batch: tensors, arrays and numbers, also in lists and dictionaries."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ckptcheck.adapters.torch.arrays import as_array
from ckptcheck.arrays import Array
from ckptcheck.job.protocol import Lasting


def arrays_of(batch: Any) -> Lasting:
    """Return copies of the arrays of a nested batch, in a fixed order.

    Raises:
        TypeError: a tensor of it has no values: it is quantised, or on `meta`.
    """
    return Lasting(_leaves(batch))


def _leaves(item: Any) -> Iterator[Array]:
    if isinstance(item, torch.Tensor):
        yield from map(as_array, _dense_parts(item))
    elif isinstance(item, Mapping):
        for key in sorted(item, key=str):
            yield from _leaves(item[key])
    elif isinstance(item, list | tuple):
        for each in item:
            yield from _leaves(each)
    elif item is not None:
        yield np.array(item)


def _dense_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the tensor, or the indices and the values of a sparse one."""
    if tensor.layout is torch.sparse_coo:
        whole = tensor.detach().coalesce()
        yield from (whole.indices(), whole.values())
    elif tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        yield from (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        yield from (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        yield tensor
