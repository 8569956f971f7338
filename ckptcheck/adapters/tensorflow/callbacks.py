"""State of Keras callbacks that changes the training but lives in no variable."""

from collections.abc import Sequence
from typing import Any

import keras

# The attributes, by callback class, whose values change the training.
DECISIVE = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


def decisive(callbacks: Sequence[Any]) -> dict[str, str]:
    """Return the callback attributes that change the training, as `Class.attribute`.

    The keys are the names under which they are compared. A key names the Keras class, a value
    the callback's own class, which may be a subclass.
    """
    return {
        f"callbacks/{kind.__name__}/{name}": f"{type(callback).__name__}.{name}"
        for callback in callbacks
        for kind, names in DECISIVE.items()
        if isinstance(callback, kind)
        for name in names
    }
