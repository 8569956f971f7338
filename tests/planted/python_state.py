"""What the program around the variables remembers, and forgets when it is started again."""

import numpy as np
from base import Clean
from planting import planted

from ckptcheck import Step


@planted(diverged=[("python-state-lost", None)])
class CountsItself(Clean):
    """The learning rate falls with a count of steps that only the process remembers."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.count = 0

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.count += 1
        return done

    def rate(self, step: int) -> float:
        return 0.01 * 0.9**self.count


@planted(diverged=[("python-state-lost", None)])
class WaitsForLoss(Clean):
    """The rate is halved where the loss has not fallen for some steps; nothing of that is saved."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.best, self.waited, self.cuts = 1e9, 0, 0

    def train(self, step: int) -> Step:
        done = super().train(step)
        fell = done.loss < self.best - 1.0
        self.best, self.waited = (done.loss, 0) if fell else (self.best, self.waited + 1)
        if self.waited == 3:
            self.cuts, self.waited = self.cuts + 1, 0
        return done

    def rate(self, step: int) -> float:
        return 0.01 * 0.5**self.cuts


@planted(diverged=[("python-state-lost", None)])
class RemembersALimit(Clean):
    """A limit for gradients grows in an object of the program's own."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.clip = Clip()

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.clip.limit += 0.1
        self.live["v"] = np.clip(self.live["v"], -self.clip.limit, self.clip.limit)
        return done


class Clip:
    limit = 0.0

    def __init__(self) -> None:
        self.limit = 0.1
