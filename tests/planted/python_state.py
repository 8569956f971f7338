"""State in Python attributes, which a restart loses."""

import numpy as np
from base import Clean
from planting import planted

from ckptcheck import Step


@planted(diverged=[("python-state-lost", None)])
class CountsItself(Clean):
    """The learning rate falls with a step count that is only an attribute."""

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
    """The rate is halved when the loss stops falling; the state of that rule is not saved."""

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
    """A clipping limit grows in an object that is not saved."""

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
