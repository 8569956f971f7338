"""State of Keras callbacks that changes the training but lives in no variable."""

from collections.abc import Sequence
from typing import Any

import keras

from ckptcheck.adapters.tensorflow.keras_2 import keras_2

# The attributes, by callback class, whose values change the training.
DECISIVE = {
    "ReduceLROnPlateau": ("best", "wait", "cooldown_counter"),
    "EarlyStopping": ("best", "wait", "best_epoch", "stopped_epoch", "best_weights"),
    "ModelCheckpoint": ("best",),
}


def decisive(callbacks: Sequence[Any]) -> dict[str, str]:
    """Return the callback attributes that change the training, as `Class.attribute`.

    The keys are the names under which they are compared. A key names the Keras class, a value
    the callback's own class, which may be a subclass.
    """
    return {
        f"callbacks/{kind}/{name}": f"{type(callback).__name__}.{name}"
        for callback in callbacks
        for kind, names in DECISIVE.items()
        if isinstance(callback, _classes(kind)) and _decides(callback)
        for name in names
    }


def _decides(callback: Any) -> bool:
    """Return whether a callback reads what it remembers: one that saves every time does not."""
    return bool(getattr(callback, "save_best_only", True))


def _classes(name: str) -> tuple[type, ...]:
    """Return the callback class of that name in every Keras in use."""
    packages = (keras, keras_2()) if keras_2() is not None else (keras,)
    return tuple(getattr(package.callbacks, name) for package in packages)
