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
        TypeError: a tensor of it has no values: it is sparse, quantised, or on `meta`.
    """
    return Lasting(_leaves(batch))


def _leaves(item: Any) -> Iterator[Array]:
    if isinstance(item, torch.Tensor):
        yield as_array(item)
    elif isinstance(item, Mapping):
        for key in sorted(item, key=str):
            yield from _leaves(item[key])
    elif isinstance(item, list | tuple):
        for each in item:
            yield from _leaves(each)
    else:
        yield np.array(item)
