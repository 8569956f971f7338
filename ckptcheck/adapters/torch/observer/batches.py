"""What is recorded of the batch of a step: copies of its arrays, or what a device sums up of it.

To copy a batch from a device makes the host wait for all work that the device has been given, and
a loop that never reads its loss would be slowed down. Tensors there are summed up there. The sums
are read when the step is written.

The sum of a tensor is multiply-shift hashing (Dietzfelbinger et al., 1997) in two levels: rows of
32-bit words times random odd factors modulo 2**64, then the halves of these sums likewise. Integer
sums are exact, whatever the order. Two different tensors of one shape have equal sums with a
probability of at most 2**-31, for ordinary differences far less.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
import xxhash

from ckptcheck.adapters.torch.arrays import as_array
from ckptcheck.arrays import Array
from ckptcheck.job.protocol import OnDevice
from ckptcheck.run.digests import ELEMENTS, MOST_EXAMPLES, digest, fingerprints

_WIDTH = 4096  # words in a row
_BYTES = 4 * _WIDTH
_NO_EXAMPLES = torch.zeros(())


def recorded(leaves: Sequence[torch.Tensor | Array]) -> list[Array] | OnDevice:
    """Return what is recorded of the tensors and arrays of a batch; nothing: it cannot be read."""
    try:
        return _recorded(leaves)
    except RuntimeError:  # within torch.func.vmap, tensors have no values of their own
        return []


def _recorded(leaves: Sequence[torch.Tensor | Array]) -> list[Array] | OnDevice:
    if any(isinstance(each, torch.Tensor) and each.device.type != "cpu" for each in leaves):
        return summed_up([torch.as_tensor(each) for each in leaves])
    return [each.copy() if isinstance(each, np.ndarray) else as_array(each) for each in leaves]


def summed_up(tensors: Sequence[torch.Tensor]) -> OnDevice:
    """Return what is recorded of a batch of which at least one tensor is on a device."""
    with torch.no_grad():
        sums = [_summed(each) for each in tensors]
        samples = [_sample(each) for each in tensors]

    def summed() -> str:
        return xxhash.xxh3_128("\n".join(each() for each in sums).encode()).hexdigest()

    def examples() -> str:
        return fingerprints([as_array(each) for each in samples])

    return OnDevice(summed, examples, sum(each.nbytes for each in samples))


def _summed(tensor: torch.Tensor) -> Callable[[], str]:
    if tensor.device.type == "cpu":
        text = digest(as_array(tensor))
        return lambda: text
    header, held = f"{tensor.dtype}{tuple(tensor.shape)}", sums(tensor)
    return lambda: f"{header}{held.tolist()}"


def sums(tensor: torch.Tensor) -> torch.Tensor:
    """Return two sums of the bytes of a tensor, of any shape and dtype, as int64 on its device."""
    dense = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
    rows = max(1, -(-dense.numel() // _BYTES))
    padded = torch.zeros(rows * _BYTES, dtype=torch.uint8, device=tensor.device)
    padded[: dense.numel()] = dense
    words = padded.view(torch.int32).view(rows, _WIDTH)
    inner = [(words * factors).sum(1) for factors in _factors(tensor.device, _WIDTH)]
    halves = torch.stack(inner).view(torch.int32)
    # A power of two: batches of different sizes share their factors.
    outer = _factors(tensor.device, 1 << (2 * rows - 1).bit_length())[:, : 2 * rows]
    return (halves * outer).sum(1)


@lru_cache(maxsize=64)
def _factors(device: torch.device, count: int) -> torch.Tensor:
    """Return two times so many random odd factors, of 64 bits each."""
    drawn = np.random.default_rng(3).integers(0, 2**64, (2, count), dtype=np.uint64)
    return torch.from_numpy((drawn | np.uint64(1)).view(np.int64)).to(device)


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    """Return of each example what its fingerprint covers."""
    if not (tensor.ndim and 0 < len(tensor) <= MOST_EXAMPLES and tensor.numel()):
        return _NO_EXAMPLES
    rows = tensor.detach().reshape(len(tensor), -1)
    return rows[:, :: -(-rows.shape[1] // ELEMENTS)].clone()
