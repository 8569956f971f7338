"""Malformed jobs: they return values that cannot be recorded, or are no jobs at all."""

from pathlib import Path
from typing import Any

import numpy as np
from base import Clean
from planting import planted

from ckptcheck import Kind, Step, Tensor


@planted(
    inconclusive="The control did not finish: train, step 5, raised TypeError: the loss is 'much', which is not a number."
)
class LossIsText(Clean):
    def train(self, step: int) -> Step:
        done = super().train(step)
        loss: Any = "much" if step == 5 else done.loss
        return Step(loss, done.batch)


@planted(
    inconclusive="The control did not finish: train, step 0, raised TypeError: a batch holds Python objects (ndarray), which "
    "cannot be recorded; it must hold arrays of fixed-size elements."
)
class BatchOfObjects(Clean):
    def train(self, step: int) -> Step:
        return Step(super().train(step).loss, [np.array([None, 1])])


@planted(
    inconclusive="The control did not finish: evaluate raised TypeError: the evaluation loss is None, which is not a number: float() "
    "argument must be a string or a real number, not 'NoneType'."
)
class EvaluatesToNothing(Clean):
    def evaluate(self) -> Any:
        return None


@planted(
    inconclusive="The control did not finish: state raised TypeError: the state tensor 'mask' has dtype float64, which cannot be "
    "recorded."
)
class HasAMask(Clean):
    def state(self) -> dict[str, Any]:
        return super().state() | {
            "mask": Tensor(Kind.OTHER, np.ma.masked_array([1.0, 2.0], [True, False]))
        }


@planted(
    inconclusive="The control did not finish: state raised TypeError: the name ('w', 0) of a state tensor is not a string."
)
class NameIsNoText(Clean):
    def state(self) -> Any:
        return {("w", 0): Tensor(Kind.WEIGHT, self.live["w"].copy())}


@planted(
    inconclusive="The control did not finish: its next_step returned 10 after 9 steps. Return the index of the next step, from 0."
)
class CountsFromOne(Clean):
    def next_step(self) -> int:
        return super().next_step() + 1


class NoJob:
    """Has only two of a job's methods."""

    restores = ("all",)

    def build(self, seed: int) -> None:
        pass

    def train(self, step: int) -> None:
        pass


class EpochOfNothing(Clean):
    steps_per_epoch = 0


class NoRestores(Clean):
    restores = ()


class RestoresIsAText(Clean):
    restores = "all"


class RestoresAlike(Clean):
    restores = ("all a", "all-a")


class ReturnsADictionary(Clean):
    def restore(self, folder: Path, restore: str) -> Any:
        return {"asked": None, "step": super().restore(folder, restore)}


class ReturnsALoss(Clean):
    def train(self, step: int) -> Any:
        return super().train(step).loss


class StateIsAList(Clean):
    def state(self) -> Any:
        return list(self.live.values())
