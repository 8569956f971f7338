"""Jobs whose evaluation has a side effect: it sets numeric attributes that are not state."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "planted"))
from base import Clean

from ckptcheck import Step


class Warms(Clean):
    """Trains differently until the first evaluation, so the one at the boundary hides a loss."""

    warm = False

    def evaluate(self) -> float:
        self.warm = True
        return super().evaluate()

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] * (1.0 if self.warm else 0.999)
        return done


class ForgetsWhenItWasEvaluated(Clean):
    """Trains differently long after an evaluation: the one at the boundary resets the control."""

    since = 0

    def evaluate(self) -> float:
        self.since = 0
        return super().evaluate()

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.since += 1
        self.live["w"] = self.live["w"] * (0.999 if self.since > 3 else 1.0)
        return done


class MakesItsAttribute(Clean):
    """Needs an attribute, made by an evaluation, to train after a restore."""

    def evaluate(self) -> float:
        self.latest = super().evaluate()
        return self.latest

    def train(self, step: int) -> Step:
        assert not self.resumed or self.latest > 0
        return super().train(step)


class Dies(Warms):
    """Dies in a resumed run without an evaluation."""

    def train(self, step: int) -> Step:
        if self.resumed and not self.warm:
            os._exit(7)
        return super().train(step)


class Notes(Clean):
    """Notes its last loss, which nothing reads; only a run without the evaluation shows that."""

    latest = 0.0

    def evaluate(self) -> float:
        self.latest = super().evaluate()
        return self.latest


class Counts(Clean):
    """Counts its calls and sums an amount: both are lost, and change equally in both runs."""

    def __init__(self) -> None:
        self.count, self.level = 0, 0.0

    def evaluate(self) -> float:
        self.count += 1
        self.level += 0.1
        return super().evaluate()


class CountsAndSaves(Counts):
    """Trains by the count of its calls, which it saves and restores."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] * (1 - 1e-4 * self.count)
        return done

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        (folder / "count.txt").write_text(str(self.count))

    def restore(self, folder: Path, restore: str) -> Any:
        self.count = int((folder / "count.txt").read_text())
        return super().restore(folder, restore)
