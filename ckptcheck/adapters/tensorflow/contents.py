"""What a checkpoint of TensorFlow holds, whoever saved it."""

from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.run.digests import digest


def contents(reader: Any) -> tuple[list[str], list[str]]:
    """Return the keys of a checkpoint, and the digests of its arrays: of all but text and serialised objects.

    Args:
        reader: what `tf.train.load_checkpoint` returns.
    """
    types = reader.get_variable_to_dtype_map()
    held = sorted(types)
    arrays = [key for key in held if types[key] not in (tf.string, tf.variant, tf.resource)]
    return held, [digest(np.asarray(reader.get_tensor(key))) for key in arrays]
