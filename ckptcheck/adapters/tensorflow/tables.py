"""The contents of lookup tables, which are state that no variable holds."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind

_TABLES = (tf.lookup.experimental.MutableHashTable, tf.lookup.experimental.DenseHashTable)


def contents_of_tables(attributes: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a digest of each mutable lookup table, by the name of its attribute.

    A table grows: a digest has the same shape at every step, and compares as its contents do.

    Args:
        attributes: the attributes of a job, also lists and dictionaries of tables.
    """
    return {
        f"{name}/contents": Tensor(Kind.OTHER, _digest(table))
        for attribute, value in attributes.items()
        for name, table in _named(attribute, value)
        if isinstance(table, _TABLES)
    }


def _named(name: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, list | tuple | dict):
        return [(name, value)]
    return [(f"{name}/{number}", item) for number, item in enumerate(tf.nest.flatten(value))]


def _digest(table: Any) -> np.ndarray[Any, Any]:
    """Return 8 bytes that follow from the keys and values alone, in any order."""
    keys, values = (part.numpy().tolist() for part in table.export())
    # A dense table has one row for each place, and the same key in all empty ones.
    rows = dict(zip(map(repr, keys), map(repr, values), strict=True))
    held = hashlib.blake2b(repr(sorted(rows.items())).encode(), digest_size=8)
    return np.frombuffer(held.digest(), np.uint8)
