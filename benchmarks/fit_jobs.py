"""The timed Keras jobs: one for `verify`, and three networks whose steps in `fit` are recorded.

    python benchmarks/fit_jobs.py PAIRS

Prints seconds as JSON: {"fit": {network: [[recorded, bare], …]}, "step": {…}}. A pair is an epoch
of the bare model and one of the same model with recording, in alternating order: of `fit`, or of a
loop over `train_on_batch` that calls the recorder. Seconds are those of all processor cores in use
(user and system), which other processes on the machine hardly change.
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
BLOCK = 64  # steps in a timed epoch: all that are recorded are written in it


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


def data_for(shape: tuple[int, ...]) -> tuple[Any, Any]:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(shape[0] * BLOCK, *shape[1:])).astype("float32")
    return x, draw.integers(0, 10, len(x))


def compiled(make: Any) -> tuple[Any, tuple[int, ...]]:
    model, shape = make()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model, shape


def paired_epochs(make: Any, pairs: int, folder: Path) -> list[tuple[float, float]]:
    """Time epochs of `fit` of two equal models, one of them recorded."""
    (bare, shape), (recorded, _) = compiled(make), compiled(make)
    x, y = data_for(shape)
    loop = _Loop(folder)
    watch = Watch(loop, BLOCK, Created())  # type: ignore[arg-type]  # this loop only counts steps

    def epoch(model: Any, callbacks: list[Any]) -> None:
        model.fit(
            x, y, batch_size=shape[0], epochs=1, shuffle=False, verbose=0, callbacks=callbacks
        )

    timed = paired(lambda: epoch(recorded, [watch]), lambda: epoch(bare, []), pairs)
    loop.recorder.close()
    return timed


def paired_loops(make: Any, pairs: int, folder: Path) -> list[tuple[float, float]]:
    """Time epochs of a loop of one's own, with a recorder and without."""
    model, shape = compiled(make)
    x, y = data_for(shape)
    batches = list(zip(np.split(x, BLOCK), np.split(y, BLOCK), strict=True))
    loop = _Loop(folder)

    def bare() -> None:
        for batch in batches:
            float(model.train_on_batch(*batch))

    def recorded() -> None:
        for batch in batches:
            loop.before_step()
            loop.after_step(Step(float(model.train_on_batch(*batch)), batch, 1e-3))

    timed = paired(recorded, bare, pairs)
    loop.recorder.close()
    return timed


def paired(recorded: Any, bare: Any, pairs: int) -> list[tuple[float, float]]:
    """Time two functions in turn, after two rounds that are not timed."""
    for _ in range(2):
        bare()
        recorded()
    gc.collect()
    gc.freeze()
    timed = []
    for index in range(pairs):
        if index % 2:
            first = seconds(bare)
            timed.append((seconds(recorded), first))
        else:
            timed.append((seconds(recorded), seconds(bare)))
    return timed


def seconds(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main(pairs: int) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Time every network in `fit` and in a loop of its own."""
    measured: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        for what, measure in (("fit", paired_epochs), ("step", paired_loops)):
            measured[what] = {}
            for name, make in NETWORKS.items():
                folder = Path(top) / what / name
                folder.mkdir(parents=True)
                measured[what][name] = measure(make, pairs, folder)
    return measured


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
