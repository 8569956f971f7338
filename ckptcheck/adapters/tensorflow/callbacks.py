"""What callbacks of Keras remember: it changes the training, and is in no variable."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind

# Callbacks that change the training by what they remember, and the attributes that they remember it in.
REMEMBERED = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


def remembered(callbacks: Sequence[Any]) -> dict[str, Tensor]:
    """Return what callbacks remember that change the training by it, by the name of the class that it is known of."""
    return {
        f"callbacks/{kind.__name__}/{name}": Tensor(Kind.PYTHON, np.array(_number(getattr(callback, name, None))))
        for callback in callbacks
        for kind, names in REMEMBERED.items()
        if isinstance(callback, kind)
        for name in names
    }


def _number(value: Any) -> float:
    return np.inf if value is None else float(value)  # None: nothing was seen yet that could be best
