"""Unusual jobs that recover: none of them may raise an alarm."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from base import KINDS, Clean
from planting import planted

from ckptcheck import Kind, Restored, Step, Tensor


class TwoWays(Clean):
    """Exact with one restore; the other does not restore the momentum."""

    restores = ("all", "weights")

    def restore(self, folder: Path, restore: str) -> Restored | None:
        self.only_weights = restore == "weights"
        return super().restore(folder, restore)

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if not (self.only_weights and name == "w/momentum")}


@planted(recovered=[])
class StateIsPlain(Clean):
    """Its state is arrays without a kind."""

    def state(self) -> dict[str, Any]:
        return dict(self.live)


@planted(recovered=[])
def make_clean() -> Clean:
    return Clean()


@planted(recovered=[])
class ShowsLess(Clean):
    """Shows neither batch nor learning rate: neither counts as compared. Its restore has an odd name."""

    restores = ("../control",)

    def train(self, step: int) -> Step:
        return Step(super().train(step).loss)


@planted(recovered=[])
class LossInPlace(Clean):
    """Exact; it reuses one array for every loss, and one for every rate."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.reported: Any = np.zeros(())
        self.used: Any = np.zeros(())

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.reported[...], self.used[...] = done.loss, self.rate(step) * (1 + step)
        return Step(self.reported, done.batch, self.used)


@planted(recovered=[])
class RateIsNaN(Clean):
    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(done.loss, done.batch, float("nan"))


@planted(recovered=[])
class EvaluationChanges(Clean):
    """An evaluation changes the moving statistics, as one in training mode does."""

    def evaluate(self) -> float:
        self.live["mean"] = self.live["mean"] / 2
        return super().evaluate()


@planted(recovered=[])
class BatchIsAnArray(Clean):
    """Exact; its batch is a single array, not a sequence."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        batch: Any = self.batch(step)
        return Step(done.loss, batch, done.learning_rate)


@planted(recovered=[])
class HasText(Clean):
    """Exact; part of its state is text or raw bytes."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.live["phase"] = np.array(["warm-up", f"{seed}"])
        self.live["key"] = np.array([bytes(8)], dtype="V8")

    def state(self) -> dict[str, Any]:
        return {
            name: Tensor(KINDS.get(name, Kind.OTHER), value.copy())
            for name, value in self.live.items()
        }


@planted(recovered=[])
class Renamed(Clean):
    """The resumed process has different names for two tensors, and restores both correctly."""

    def state(self) -> dict[str, Any]:
        other = {"w/momentum": "u/momentum", "mean": "norm/mean"} if self.renames() else {}
        return {other.get(name, name): tensor for name, tensor in super().state().items()}

    def renames(self) -> bool:
        return os.environ["PYTHONHASHSEED"] == "2"


@planted(recovered=[])
class Prints(Clean):
    def train(self, step: int) -> Step:
        print("a line that must not spoil standard output")
        return super().train(step)


class Slow(Clean):
    def train(self, step: int) -> Step:
        time.sleep(0.2)
        return super().train(step)


@planted(recovered=[])
class SetsHashSeed(Clean):
    """Exact; sets PYTHONHASHSEED, as seeding code does, without effect on the running process."""

    def __init__(self) -> None:
        os.environ["PYTHONHASHSEED"] = "42"
