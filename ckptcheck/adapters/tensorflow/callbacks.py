"""What callbacks of Keras remember: it changes the training, and is in no variable."""

from collections.abc import Sequence
from typing import Any

import keras

# Callbacks that change the training by what they remember, and the attributes that they remember it in.
REMEMBERED = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


def decisive(callbacks: Sequence[Any]) -> dict[str, str]:
    """Return the attributes of callbacks that change the training, as `Class.attribute`, by the names they are compared under.

    These have the name of the class that it is known of; callbacks themselves have the names of their own classes.
    """
    return {
        f"callbacks/{kind.__name__}/{name}": f"{type(callback).__name__}.{name}"
        for callback in callbacks
        for kind, names in REMEMBERED.items()
        if isinstance(callback, kind)
        for name in names
    }
