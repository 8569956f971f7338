"""The timed Keras jobs: one for `verify`, and three networks whose steps in `fit` are recorded.

    python benchmarks/fit_jobs.py PAIRS   seconds of epochs in fit, {network: [[recorded, bare], …]}

A pair is an epoch of the bare model and one of the same model with recording, in alternating order.
"""

import gc
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ckptcheck.adapters.keras import FitJob
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.watch import Watch
from ckptcheck.job import Step
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.folder import Recorder
from ckptcheck.run.heartbeat import Heartbeat
from ckptcheck.run.run import Facts

STEPS = 15  # steps in an epoch of the verified job
BLOCK = 60  # steps in a timed epoch


class Sixty(FitJob):
    """Convolution, batch norm, dense layer; 60 steps."""

    restores = ("keras", "backup")
    steps_per_epoch = STEPS

    def model(self) -> Any:
        """Return the compiled model."""
        model = keras.Sequential(
            [
                keras.Input((16, 16, 1)),
                keras.layers.Conv2D(16, 3, use_bias=False),
                keras.layers.BatchNormalization(),
                keras.layers.ReLU(),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def data(self) -> tuple[Any, Any]:
        """Return images and classes."""
        draw = np.random.default_rng(0)
        return draw.normal(size=(32 * STEPS, 16, 16, 1)).astype("float32"), draw.integers(
            0, 10, 32 * STEPS
        )

    def validation(self) -> Any:
        """Return the training data."""
        return self.data()

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        """Train for five epochs."""
        x, y = self.data()
        model.fit(x, y, batch_size=32, epochs=5, initial_epoch=initial_epoch, callbacks=callbacks)


def dense() -> tuple[Any, tuple[int, ...]]:
    layers = [
        keras.layers.Dense(512, "relu"),
        keras.layers.Dense(512, "relu"),
        keras.layers.Dense(10),
    ]
    return keras.Sequential([keras.Input((784,)), *layers]), (64, 784)


def convolution() -> tuple[Any, tuple[int, ...]]:
    blocks = [
        layer
        for filters in (16, 32)
        for layer in (
            keras.layers.Conv2D(filters, 3, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.MaxPooling2D(),
        )
    ]
    head = [keras.layers.Flatten(), keras.layers.Dropout(0.3), keras.layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *blocks, *head]), (32, 28, 28, 1)


def recurrent() -> tuple[Any, tuple[int, ...]]:
    return keras.Sequential(
        [keras.Input((24, 32)), keras.layers.LSTM(64), keras.layers.Dense(10)]
    ), (32, 24, 32)


NETWORKS = {"dense": dense, "convolution": convolution, "recurrent": recurrent}


class _Loop:
    """Does what `ckptcheck.run.execution` does between the boundaries."""

    folder, restore = Path(), None

    def __init__(self, folder: Path) -> None:
        schedule = Schedule(10**9, 1, BLOCK)
        self.recorder = Recorder(folder, Facts("control", "keras", None, 0, schedule))
        self.beat = Heartbeat(lambda count: None)
        self.schedule = schedule
        self.done = 0

    def before_step(self) -> None:
        """Ask whether an evaluation is due."""
        self.schedule.evaluates_at(self.done)

    def after_step(self, step: Step) -> None:
        """Record the step."""
        self.recorder.step(self.done, step)
        self.done += 1
        self.beat(self.done)

    def may_save(self) -> None:
        """Do nothing: the timed epochs have no boundary."""


def paired_epochs(make: Any, pairs: int, folder: Path) -> list[tuple[float, float]]:
    """Time epochs of two equal models, one of them recorded."""
    models = []
    for _ in range(2):
        model, shape = make()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        models.append(model)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(shape[0] * BLOCK, *shape[1:])).astype("float32")
    y = draw.integers(0, 10, len(x))
    loop = _Loop(folder)
    watch = Watch(loop, BLOCK, Created())  # type: ignore[arg-type]  # this loop only counts steps

    def epoch(model: Any, callbacks: list[Any]) -> float:
        started = time.perf_counter()
        model.fit(
            x, y, batch_size=shape[0], epochs=1, shuffle=False, verbose=0, callbacks=callbacks
        )
        return time.perf_counter() - started

    bare, recorded = models
    for _ in range(2):
        epoch(bare, []), epoch(recorded, [watch])
    gc.collect()
    gc.freeze()
    timed = []
    for index in range(pairs):
        if index % 2:
            seconds = epoch(bare, [])
            timed.append((epoch(recorded, [watch]), seconds))
        else:
            timed.append((epoch(recorded, [watch]), epoch(bare, [])))
    loop.recorder.close()
    return timed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        seconds = {}
        for name, make in NETWORKS.items():
            folder = Path(top) / name
            folder.mkdir()
            seconds[name] = paired_epochs(make, int(sys.argv[1]), folder)
    print(json.dumps(seconds))
