"""Reading forged checkpoints whose checksums match."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.arrays import Array
from ckptcheck.checkpoints import DamagedError, open_checkpoint
from tests.checkpoints.bundles import rows_and_data

TENSOR: dict[str, Array] = {"weight": np.arange(6, dtype="float32").reshape(2, 3)}


def read(prefix: Path) -> dict[str, Array]:
    found = open_checkpoint(prefix)
    return {key: found.value(entry) for key, entry in found.entries.items()}


def refusal(prefix: Path) -> str:
    """Read a checkpoint that must be refused, with little memory; return the refusal."""
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError) as caught:
            read(prefix)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    return str(caught.value).replace(str(prefix), "P")


ROW = rows_and_data(TENSOR)[0]["weight"]
