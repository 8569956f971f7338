"""Jobs whose evaluation does more than evaluate: it sets numbers that are attributes, and no state."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "planted"))
from base import Clean

from ckptcheck import Step


class Warms(Clean):
    """Training is another one until the first evaluation, and again after a restore: the evaluation at the boundary heals."""

    warm = False

    def evaluate(self) -> float:
        self.warm = True
        return super().evaluate()

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] * (1.0 if self.warm else 0.999)
        return done


class ForgetsWhenItWasEvaluated(Clean):
    """Training is another one long after an evaluation: that at the boundary makes the control forget as a restore does."""

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
    """Once it is resumed, training needs what an evaluation makes."""

    def evaluate(self) -> float:
        self.latest = super().evaluate()
        return self.latest

    def train(self, step: int) -> Step:
        assert not self.resumed or self.latest > 0
        return super().train(step)


class Dies(Warms):
    """And it dies where it is resumed and was not evaluated."""

    def train(self, step: int) -> Step:
        if self.resumed and not self.warm:
            os._exit(7)
        return super().train(step)


class Notes(Clean):
    """It notes down its last loss, which nobody reads: only a run without the evaluation can tell."""

    latest = 0.0

    def evaluate(self) -> float:
        self.latest = super().evaluate()
        return self.latest


class Counts(Clean):
    """It counts its calls, and adds up an amount, which is lost and leaves the runs as far apart as they were."""

    def __init__(self) -> None:
        self.count, self.level = 0, 0.0

    def evaluate(self) -> float:
        self.count += 1
        self.level += 0.1
        return super().evaluate()


class CountsAndSaves(Counts):
    """The count decides what is trained, and comes back."""

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
