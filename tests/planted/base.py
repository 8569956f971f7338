"""The jobs that defects are planted in, on NumPy alone: `Clean`, and `Loops` with its own loop.

`Clean` is a linear regression with momentum, a moving mean of the inputs, an average of the weights
and a step counter. A worker loads a planted job by the path of its file, and puts the file's folder
on its path: the files here import each other as neighbours.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from planting import planted

from ckptcheck import Kind, Loop, Restored, Step, Tensor
from ckptcheck.run.digests import digest

Array = NDArray[Any]

KINDS = {
    "w": Kind.WEIGHT,
    "v": Kind.WEIGHT,
    "w/momentum": Kind.SLOT,
    "mean": Kind.MOVING_STATISTIC,
    "w/average": Kind.SHADOW,
    "step": Kind.COUNTER,
}
STEPS_PER_EPOCH = 6
SHIFT = np.array([0.5, -1.0, 2.0, 0.25])


@planted(recovered=[])
class Clean:
    restores: Sequence[str] = ("all",)
    steps_per_epoch: int = STEPS_PER_EPOCH

    def build(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.live: dict[str, Array] = {
            "w": draw.normal(size=4),
            "v": draw.normal(size=4),
            "w/momentum": np.zeros(4),
            "mean": np.zeros(4),
            "w/average": np.zeros(4),
            "step": np.array(0),
        }
        self.resumed = False

    def next_step(self) -> int:
        return int(self.live["step"])

    def batch(self, step: int) -> Array:
        return np.asarray(np.random.default_rng((7, step)).normal(size=(8, 4)) + SHIFT)

    def rate(self, step: int) -> float:
        return 0.01

    def loss(self, x: Array) -> float:
        return float(np.mean((x @ (self.live["w"] + self.live["v"]) - x.sum(1)) ** 2))

    def train(self, step: int) -> Step:
        x, rate, live = self.batch(step), self.rate(step), self.live
        loss = self.loss(x)
        gradient = 2 * x.T @ (x @ (live["w"] + live["v"]) - x.sum(1)) / len(x)
        live["w/momentum"] = 0.9 * live["w/momentum"] + gradient
        live["w"] = live["w"] - rate * live["w/momentum"]
        live["v"] = live["v"] - rate * gradient
        live["mean"] = 0.9 * live["mean"] + 0.1 * x.mean(0)
        live["w/average"] = 0.9 * live["w/average"] + 0.1 * live["w"]
        live["step"] = live["step"] + 1
        return Step(loss=loss, batch=[x], learning_rate=rate)

    def evaluate(self) -> float:
        x = np.random.default_rng(99).normal(size=(16, 4))
        return self.loss(x - self.live["mean"])

    def state(self) -> dict[str, Any]:
        return {name: Tensor(KINDS[name], value.copy()) for name, value in self.live.items()}

    def saved(self) -> list[str]:
        return list(self.live)

    def save(self, folder: Path, step: int) -> None:
        held: dict[str, Any] = {name.replace("/", "|"): self.live[name] for name in self.saved()}
        np.savez(folder / "state.npz", **held)

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held}

    def restore(self, folder: Path, restore: str) -> Restored | None:
        with np.load(Path(folder) / "state.npz") as file:
            held = {name.replace("|", "/"): file[name] for name in file.files}
        asked = self.wanted(held)
        for name, key in asked.items():
            self.live[name] = held[key].copy()
        self.resumed = True
        self.after_restore()
        return Restored(asked, sorted(held), [digest(value) for value in held.values()])

    def after_restore(self) -> None:
        pass


@planted(recovered=[])
class Loops:
    """`Clean` with a training loop of its own. Saves at the end of an epoch, as callbacks do."""

    restores: Sequence[str] = ("all",)
    steps_per_epoch: int = STEPS_PER_EPOCH
    boundary_epochs: float = 2
    inner: type[Clean] = Clean
    until = 100

    def __init__(self) -> None:
        self.job = self.inner()
        for name in ("build", "next_step", "evaluate", "state", "save", "restore"):
            setattr(self, name, getattr(self.job, name))

    def run(self, loop: Loop) -> None:
        for step in range(self.job.next_step(), self.until):
            loop.before_step()
            loop.after_step(self.job.train(step))
            if (step + 1) % self.steps_per_epoch == 0:
                loop.may_save()


@planted(recovered=[])
class CreatesLate(Clean):
    """The first step creates the momentum, and fills it from the checkpoint after a restore."""

    defers = True
    forgets = False

    def build(self, seed: int) -> None:
        super().build(seed)
        del self.live["w/momentum"]
        self.waiting = np.zeros(4)

    def train(self, step: int) -> Step:
        if "w/momentum" not in self.live:
            self.live["w/momentum"] = self.waiting
        return super().train(step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        super().restore(folder, restore)
        late = self.live.pop("w/momentum")
        if not self.forgets:
            self.waiting = late
        return None
