"""Defects of single steps: the first step, rates, settings, losses and evaluations."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from base import Clean, Loops
from planting import planted

from ckptcheck import Loop, Step


@planted(diverged=[("wrong-first-step", None)])
class RepeatedStep(Clean):
    """Restores everything, but the first step is one too low."""

    def next_step(self) -> int:
        return super().next_step() - (1 if self.resumed else 0)


@planted(diverged=[("resumed-run-raised", None)])
class HalfAStep(Clean):
    def next_step(self) -> Any:
        return super().next_step() + (0.5 if self.resumed else 0)


@planted(diverged=[("resumed-run-raised", None)])
class NextStepRaises(Clean):
    """After the restore, the next step is unknown."""

    def next_step(self) -> int:
        if self.resumed:
            raise RuntimeError("no counter")
        return super().next_step()


@planted(diverged=[("learning-rate-differs", None)])
class OtherRate(Clean):
    """The schedule lowers the rate late in the run, but not in the resumed process."""

    def rate(self, step: int) -> float:
        return 0.01 if self.resumed or step < 19 else 0.001


@planted(diverged=[("learning-rate-differs", None)])
class OtherSignOfRate(Clean):
    def rate(self, step: int) -> float:
        return -0.0 if self.resumed else 0.0


@planted(diverged=[("learning-rate-differs", None)])
class CountsCalls(Clean):
    """The rate differs, and an unused counter restarts: the counter is not the cause."""

    calls = 0

    def train(self, step: int) -> Step:
        self.calls += 1
        return super().train(step)

    def rate(self, step: int) -> float:
        return 0.004 if self.resumed else 0.01


@planted(diverged=[("hyperparameters-differ", None)])
class OtherSettings(Clean):
    """A setting of the optimizer differs after the restore."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss,
            done.batch,
            done.learning_rate,
            hyperparameters={"momentum": 0.8 if self.resumed else 0.9},
        )


@planted(diverged=[("unexplained", None)])
class HiddenInLastLoss(Clean):
    """Hidden state changes only the last training loss, by one unit in the last place."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        loss = np.nextafter(done.loss, 1e9) if self.resumed and step == 20 else done.loss
        return Step(float(loss), done.batch, done.learning_rate)


@planted(diverged=[("unexplained", None)])
class HiddenInEvaluation(Clean):
    """Hidden state changes only the evaluation."""

    def evaluate(self) -> float:
        return super().evaluate() + (1e-12 if self.resumed else 0.0)


class LosesSlotsAndHidesInEvaluation(Clean):
    """The momentum is lost, and hidden state changes the evaluation."""

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/momentum"}

    def evaluate(self) -> float:
        return super().evaluate() + (1e-3 if self.resumed else 0.0)


@planted(diverged=[("resumed-run-raised", None)])
class RaisesInTrain(Clean):
    def train(self, step: int) -> Step:
        if self.resumed:
            raise RuntimeError("the pipeline is empty")
        return super().train(step)


@planted(
    inconclusive="The control did not finish: train, step 5, raised RuntimeError: a bad image (steps.py:{line})."
)
class ControlRaises(Clean):
    def train(self, step: int) -> Step:
        if step == 5:
            raise RuntimeError("a bad image")
        return super().train(step)


@planted(
    inconclusive="The control did not finish: train, step 0, raised RuntimeError: no more of this (steps.py:{line})."
)
class LoopRaises(Loops):
    def run(self, loop: Loop) -> None:
        loop.before_step()
        raise RuntimeError("no more of this")


@planted(
    inconclusive="The control did not finish: its training loop ended after 15 of 21 steps (2.5 of 3.5 epochs). Train for more epochs, or reduce "
    "--steps."
)
class LoopsTooShort(Loops):
    until = 15


@planted(
    inconclusive=(
        "The control's training loss is nan at step 4, so no training is left to "
        "compare. Fix the job, or count NaN as equal with --equal-nan."
    )
)
@planted(recovered=[], equal_nan=True, boundary=3)
class TurnsNaN(Clean):
    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(float("nan"), done.batch, done.learning_rate) if step == 4 else done
